"""Benchmarks of the package's time and memory: run `python -m benchmarks`."""
