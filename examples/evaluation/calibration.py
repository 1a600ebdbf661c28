"""Expected calibration error, and the bins that a reliability diagram shows (Guo et al., ICML 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

from examples.evaluation.network import Predictions


class Reliability(NamedTuple):
    """The contents of each bin of confidences, (bins) float64. Accuracy and confidence are NaN in empty bins."""

    edges: Tensor  # (bins + 1)
    counts: Tensor
    accuracy: Tensor
    confidence: Tensor


def measure_calibration(predictions: Predictions, bins: Sequence[int]) -> dict[str, float]:
    """Return the expected calibration error for each number of bins of equal width."""
    probabilities = _probabilities(predictions)
    classes = probabilities.shape[1]
    return {
        f"{count} bins": float(multiclass_calibration_error(probabilities, predictions.targets, classes, count))
        for count in bins
    }


def measure_reliability(predictions: Predictions, bins: int) -> Reliability:
    """Sort the predictions by confidence into bins [a, b), which are also those of the calibration error."""
    confidences = _probabilities(predictions).amax(1)
    edges = torch.linspace(0, 1, bins + 1)  # float32, as in torchmetrics
    places = torch.bucketize(confidences, edges, right=True) - 1
    counts = torch.bincount(places, minlength=bins).double()
    right = torch.bincount(places, predictions.is_right.double(), bins)
    confidence = torch.bincount(places, confidences.double(), bins)
    return Reliability(edges.double(), counts, right / counts, confidence / counts)


def _probabilities(predictions: Predictions) -> Tensor:
    """Return the softmax, kept below 1, for which torchmetrics has a separate bin instead of using the last one."""
    probabilities = predictions.logits.softmax(1)
    below_one = torch.nextafter(torch.ones(()), torch.zeros(()))
    return probabilities.clamp(max=below_one)
