"""What the package costs: run `python -m benchmarks`."""
