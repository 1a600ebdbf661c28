"""Numba, which compiles the solver "exact": only this folder imports it."""
