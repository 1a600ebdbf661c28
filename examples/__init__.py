"""Examples, each run by itself from a clone. They are not part of the installed package."""
