"""Tests on a GPU, skipped where there is none: `python -m pytest tests/gpu`."""
