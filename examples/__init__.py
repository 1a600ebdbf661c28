"""Examples of use; not part of the installed package."""
