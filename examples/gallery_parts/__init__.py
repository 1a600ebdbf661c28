"""The parts of `examples/gallery.py`, one idea a file."""
