"""The parts of `examples/study.py`, one idea a file."""
