"""The parts of `examples/study.py`, one idea per file."""
