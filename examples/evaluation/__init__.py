"""The measures of `examples/evaluate.py`, one file each: accuracy, calibration, localization, robustness."""
