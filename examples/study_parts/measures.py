"""The measures of a trained network, before and after its confidence is adjusted by temperature scaling.

Source of temperature scaling: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.classification import multiclass_calibration_error

BINS = 15  # of the calibration error
_HOTTEST = math.log(20)  # heuristic: the search covers logarithms of temperatures between minus and plus this value


class Measures(NamedTuple):
    """Accuracy and expected calibration error as shares, and the log-loss in nats."""

    accuracy: float
    ece: float
    nll: float


def measure(logits: Tensor, labels: Tensor) -> Measures:
    """Measure a network by its logits (N, K) for images with labels (N,)."""
    accuracy = (logits.argmax(1) == labels).double().mean()
    error = multiclass_calibration_error(logits.softmax(1), labels, logits.shape[1], n_bins=BINS)
    return Measures(float(accuracy), float(error), float(F.cross_entropy(logits.double(), labels)))


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature, which is the divisor of the logits that gives the lowest log-loss."""

    def loss(logarithm: float) -> float:
        return float(F.cross_entropy(logits.double() * math.exp(-logarithm), labels))

    return math.exp(minimize_scalar(loss, bounds=(-_HOTTEST, _HOTTEST), method="bounded").x)
