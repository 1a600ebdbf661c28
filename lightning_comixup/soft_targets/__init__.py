"""Soft targets: rows of class probabilities, with losses and a metric for them."""
