"""Tests on a GPU, skipped if there is none: `python -m pytest tests/gpu`."""
