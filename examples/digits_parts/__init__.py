"""The parts of `examples/digits.py`: options, canvases, CutMix, training, processes, table and picture."""
