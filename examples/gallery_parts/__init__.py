"""The parts of `examples/gallery.py`, one idea per file."""
