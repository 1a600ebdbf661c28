"""A metric for soft targets: the training accuracy on mixed batches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_comixup.soft_targets.targets import flatten_labels
from lightning_comixup.validation import check_class_targets, check_device


class SoftTargetAccuracy(Metric):
    """The mean target mass of the predicted class.

    For integer or one-hot targets this is the accuracy. For soft targets it is the share of a sample's target that
    belongs to the predicted class. (torchmetrics' own accuracy takes only integer targets.)

    >>> import torch
    >>> metric = SoftTargetAccuracy()
    >>> metric.update(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([[0.7, 0.3], [0.6, 0.4]]))
    >>> round(float(metric.compute()), 3)
    0.55
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    mass: Tensor
    samples: Tensor

    def __init__(self, **settings: Any) -> None:
        """Start with no samples.

        Args:
            **settings: Of `torchmetrics.Metric`.
        """
        super().__init__(**settings)
        self.add_state("mass", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("samples", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add a batch.

        Args:
            preds: (B, K) logits or probabilities.
            target: (B,) or (B, 1) integer, or (B, K) class probabilities.

        Raises:
            TypeError: If one is not a tensor.
            ValueError: If shapes or devices do not fit, or (B,) targets are not integers.
        """
        target = flatten_labels(target)
        _check_batch(preds, target)
        self.mass = self.mass + predicted_mass(preds, target).sum()
        self.samples = self.samples + len(preds)

    def compute(self) -> Tensor:
        """Return the mean over all samples, float32."""
        return (self.mass / self.samples).to(torch.float32)


def predicted_mass(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the target mass of each sample's predicted class.

    Args:
        predictions: (B, K).
        targets: (B,) integer or (B, K) class probabilities, on the same device.

    Returns:
        (B,) float32.
    """
    predicted = predictions.argmax(1)
    if targets.ndim == 1:
        return (predicted == targets.long()).to(torch.float32)
    return targets.gather(1, predicted.unsqueeze(1)).squeeze(1).to(torch.float32)


def _check_batch(predictions: Tensor, targets: Tensor) -> None:
    if not isinstance(predictions, Tensor):
        raise TypeError(f"preds must be a tensor, found {type(predictions).__name__}. Pass the logits (B, K).")
    check_class_targets(targets, "target")
    if predictions.ndim != 2 or targets.shape not in (predictions.shape, predictions.shape[:1]):
        raise ValueError(
            f"preds must be (B, K) and target (B,) or (B, K), found {tuple(predictions.shape)} and "
            f"{tuple(targets.shape)}. Pass both of the same batch, with one column per class."
        )
    check_device("target", targets, predictions, "preds")
