"""Examples: each is run by itself."""
