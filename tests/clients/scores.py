"""Accuracies written by hand, to check the values that the clients log."""

from __future__ import annotations

import torch
from torch import Tensor


def _classes(predictions: Tensor) -> Tensor:
    return predictions.argmax(1) if predictions.is_floating_point() else predictions


def micro_accuracy(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the share of correct samples, from scores (N, K) or classes (N,)."""
    return (_classes(predictions) == targets).double().mean()


def macro_accuracy(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the share of correct samples of each class, averaged over the classes that occur."""
    right = (_classes(predictions) == targets).double()
    return torch.stack([right[targets == label].mean() for label in targets.unique()]).mean()


def binary_accuracy(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the share of correct decisions, from probabilities, logits or decisions of shape (N,) or (N, K)."""
    scores = predictions.double()
    is_logit = bool(((scores < 0) | (scores > 1)).any())
    return ((scores > (0.0 if is_logit else 0.5)).long() == targets.long()).double().mean()
