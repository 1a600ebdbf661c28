"""Examples: each is run by itself, from a clone; not part of the installed package."""
