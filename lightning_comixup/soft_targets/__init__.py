"""Soft targets: rows of class probabilities, their losses and their metric."""
