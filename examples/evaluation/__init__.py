"""The measures of `examples/evaluate.py`, in one file each: accuracy, calibration, localization, robustness."""
