"""A metric for soft targets: the training accuracy on mixed batches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_comixup.soft_targets.targets import flatten_labels
from lightning_comixup.validation import check_class_targets, check_count, check_device

# The mass is summed in whole units of this size, as 64-bit integers. The sum is exact in any order, across ranks, and
# on devices without float64. A float32 sum stops growing at 2**24 samples, and error compensation would not survive
# torchmetrics' merging of states. The error of each sample's share is at most 2e-9, and 3e10 samples fit.
_UNIT = 2.0**-28


class SoftTargetAccuracy(Metric):
    """The mean target mass of the predicted class, or of the `top_k` classes with the highest predictions.

    For integer or one-hot targets this is the accuracy. For soft targets it is the share of a sample's target that
    belongs to the predicted classes. (torchmetrics' own accuracy takes only integer targets.)

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

    def __init__(self, top_k: int = 1, **settings: Any) -> None:
        """Start with no samples.

        Args:
            top_k: Number of classes, those with the highest predictions, whose mass counts.
            **settings: Passed on to `torchmetrics.Metric`.

        Raises:
            TypeError: If `top_k` is not an integer.
            ValueError: If it is below 1.
        """
        super().__init__(**settings)
        check_count("top_k", top_k, advice="Use 1 for the accuracy of the predicted class.")
        self.top_k = int(top_k)
        # Collections share state between metrics whose states agree after the first batch. This state differs by top_k.
        self.add_state("counted_classes", default=torch.tensor(self.top_k), dist_reduce_fx="max")
        self.add_state("mass", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("samples", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add a batch.

        Args:
            preds: (B, K) logits or probabilities, or with `top_k=1` also (B,) predicted classes.
            target: (B,) or (B, 1) integer, or (B, K) class probabilities.

        Raises:
            TypeError: If either is not a tensor.
            ValueError: If shapes or devices do not fit, there are fewer classes than `top_k`, a predicted class is
                not a class of the target, or (B,) targets or predictions are not integers.
        """
        target = flatten_labels(target)
        _check_batch(preds, target, self.top_k)
        try:
            mass = predicted_mass(preds, target, self.top_k)
        except RuntimeError:  # PyTorch raises it for an index out of range and for many other reasons
            _raise_cause(preds, target)
            raise
        self.mass = self.mass + (mass / _UNIT).round().to(torch.int64).sum()
        self.samples = self.samples + len(preds)

    def compute(self) -> Tensor:
        """Return the mean over all samples in float32."""
        return self.mass.to(torch.float32) * _UNIT / self.samples.to(torch.float32)


def predicted_mass(predictions: Tensor, targets: Tensor, top_k: int = 1) -> Tensor:
    """Return the target mass of each sample's predicted class, or of its `top_k` classes with the highest predictions.

    Args:
        predictions: (B, K), or (B,) predicted classes.
        targets: (B,) integer or (B, K) class probabilities, on the same device.
        top_k: Number of classes.

    Returns:
        (B,) float32.
    """
    predicted = _predicted_classes(predictions, top_k)
    if targets.ndim == 1:
        return (predicted == targets.long().unsqueeze(1)).any(1).to(torch.float32)
    return targets.gather(1, predicted).to(torch.float32).sum(1)


def _predicted_classes(predictions: Tensor, top_k: int) -> Tensor:
    """Return the classes as (B, top_k)."""
    if predictions.ndim == 1:
        return predictions.long().unsqueeze(1)
    # Among classes with equal predictions, `topk` may choose a different one than `argmax`, the usual choice.
    return predictions.argmax(1, keepdim=True) if top_k == 1 else predictions.topk(top_k, 1).indices


def _check_batch(predictions: Tensor, targets: Tensor, top_k: int) -> None:
    if not isinstance(predictions, Tensor):
        raise TypeError(f"preds must be a tensor, found {type(predictions).__name__}. Pass the logits (B, K).")
    check_class_targets(targets, "target")
    shape = tuple(predictions.shape)
    is_classes = predictions.ndim == 1 and not predictions.is_floating_point() and not predictions.is_complex()
    fits = targets.shape[:1] == predictions.shape[:1] and (
        is_classes or (predictions.ndim == 2 and targets.shape[1:] in ((), predictions.shape[1:]))
    )
    if not fits:
        raise ValueError(
            "preds must be (B, K), or (B,) integer classes, and target (B,) or (B, K), found "
            f"{shape} of {predictions.dtype} and {tuple(targets.shape)}. Pass predictions and targets of the same "
            "batch, with one column per class."
        )
    if top_k > (1 if is_classes else predictions.shape[1]):
        raise ValueError(
            f"preds must have at least top_k = {top_k} columns, found {shape}. Pass the logits (B, K), or lower top_k."
        )
    check_device("target", targets, predictions, "preds")


def _raise_cause(predictions: Tensor, targets: Tensor) -> None:
    """Raise an error that names predicted classes for which the targets have no column, if there are any."""
    if predictions.ndim != 1 or predictions.numel() == 0:
        return
    lowest, highest = (bound.item() for bound in torch.aminmax(predictions.long()))
    if lowest < 0 or highest >= targets.shape[1]:
        raise ValueError(
            f"preds must lie in [0, {targets.shape[1]}) for target {tuple(targets.shape)}, found {lowest} to "
            f"{highest}. Pass only classes for which the target has a column."
        )
