"""Accuracies written by hand, to check what the clients log."""

from __future__ import annotations

import torch
from torch import Tensor


def _classes(predictions: Tensor) -> Tensor:
    return predictions.argmax(1) if predictions.is_floating_point() else predictions


def micro_accuracy(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the share of samples that are right, from scores (N, K) or classes (N,)."""
    return (_classes(predictions) == targets).double().mean()


def macro_accuracy(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over the classes that occur of the share of their samples that are right."""
    right = (_classes(predictions) == targets).double()
    return torch.stack([right[targets == label].mean() for label in targets.unique()]).mean()


def binary_accuracy(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the share of single decisions that are right, (N,) or (N, K), from probabilities, logits or decisions."""
    scores = predictions.double()
    is_logit = bool(((scores < 0) | (scores > 1)).any())
    return ((scores > (0.0 if is_logit else 0.5)).long() == targets.long()).double().mean()
