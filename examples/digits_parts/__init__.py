"""The parts of `examples/digits.py`: canvases, CutMix, processes, table and picture."""
