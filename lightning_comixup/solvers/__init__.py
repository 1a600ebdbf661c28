"""Solvers of the labeling, each behind `solve(problem) -> Labeling`."""
