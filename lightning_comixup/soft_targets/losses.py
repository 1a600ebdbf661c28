"""Losses for integer and for soft targets.

Values on a device are read only once a loss has failed: reading them waits for the device.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_comixup.soft_targets.targets import flatten_labels
from lightning_comixup.validation import check_choice, check_class_targets, check_device, check_number, widen

LossKind = Literal["ce", "bce"]
Reduction = Literal["mean", "sum", "none"]


def soft_target_loss(
    logits: Tensor,
    targets: Tensor,
    kind: LossKind,
    *,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return the loss of logits against integer or soft targets, in float32 or wider.

    Args:
        logits: (B, K).
        targets: (B,) or (B, 1) integer, or (B, K) class probabilities.
        kind: "ce": cross-entropy (the authors on ImageNet); "bce": binary cross-entropy of the softmax, averaged over
            the classes (the authors on CIFAR and Tiny-ImageNet).
        label_smoothing: Share ε of each target that is spread evenly over the classes.
        class_weights: (K,) weight of each class's term.
        reduction: "mean" or "sum" over the batch, or "none": (B,). As in PyTorch the mean with `class_weights` and
            integer targets divides by the targets' weights, with class probabilities by the batch size.

    Raises:
        TypeError: If logits are not a floating tensor, targets not a tensor, or an option has the wrong type.
        ValueError: If shapes, dtypes or devices do not fit, an integer is not a class or an option is out of its range.
    """
    _check_logits(logits)
    targets = flatten_labels(targets)
    _check_targets(targets, logits)
    _check_options(kind, label_smoothing, class_weights, reduction, logits.shape[1])
    return _loss(logits, targets, kind, label_smoothing, class_weights, reduction)


def clean_loss(logits: Tensor, targets: Tensor, kind: LossKind) -> Tensor:
    """Return the authors' clean loss that goes with a kind of mixed loss.

    "ce": cross-entropy. "bce": 2/K times the cross-entropy, which rebalances the clean gradient against a binary
    cross-entropy averaged over K classes.

    Raises:
        TypeError: See `soft_target_loss`.
        ValueError: See `soft_target_loss`.
    """
    _check_logits(logits)
    targets = flatten_labels(targets)
    _check_targets(targets, logits)
    _check_kind(kind)
    loss = _loss(logits, targets, "ce", 0.0, None, "mean")
    return loss if kind == "ce" else loss * 2 / logits.shape[1]


def _loss(
    logits: Tensor,
    targets: Tensor,
    kind: LossKind,
    label_smoothing: float,
    class_weights: Tensor | None,
    reduction: Reduction,
) -> Tensor:
    wide = widen(logits)
    weights = None if class_weights is None else class_weights.to(wide)
    targets = targets.to(wide.dtype) if targets.ndim == 2 else targets.long()
    try:
        if kind == "ce":
            return F.cross_entropy(wide, targets, weights, reduction=reduction, label_smoothing=label_smoothing)
        return _softmax_bce(wide, targets, label_smoothing, weights, reduction)
    except (IndexError, RuntimeError):  # PyTorch raises these for values out of range, and for much else
        _raise_cause(wide.detach(), targets)
        raise


def _softmax_bce(
    logits: Tensor, targets: Tensor, label_smoothing: float, class_weights: Tensor | None, reduction: Reduction
) -> Tensor:
    rows = targets if targets.ndim == 2 else F.one_hot(targets, logits.shape[1]).to(logits.dtype)
    if label_smoothing > 0:
        rows = rows * (1 - label_smoothing) + label_smoothing / logits.shape[1]
    with without_autocast(logits.device):  # autocast refuses this function, which is unsafe in half precision
        if reduction == "mean":
            return F.binary_cross_entropy(logits.softmax(1), rows, class_weights)
        losses = F.binary_cross_entropy(logits.softmax(1), rows, class_weights, reduction="none").mean(1)
    return losses.sum() if reduction == "sum" else losses


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return a context without autocast; PyTorch refuses to switch it off on kinds of devices that have none."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def _check_logits(logits: Tensor) -> None:
    """Check that logits are floating (B, K) with at least two classes."""
    remedy = (
        "Pass the logits alone; where module(inputs) gives more, override comixup_clean_loss(inputs, targets) of "
        "CoMixupMixin, or give compute_saliency a loss_fn."
    )
    if not isinstance(logits, Tensor):
        raise TypeError(f"logits must be a tensor (B, K), found {type(logits).__name__}. {remedy}")
    if logits.ndim != 2:
        raise ValueError(f"logits must be a tensor (B, K), found shape {tuple(logits.shape)}. {remedy}")
    if not logits.is_floating_point():
        raise TypeError(f"logits must be floating, found {logits.dtype}: no gradient would pass. {remedy}")
    if logits.shape[1] < 2:
        raise ValueError(
            f"logits must have at least two classes, found shape {tuple(logits.shape)}: the loss would be constant. "
            "For a single logit give (B, 1) targets with CoMixup(linear_targets=True), and override comixup_clean_loss."
        )


def _check_targets(targets: Tensor, logits: Tensor) -> None:
    """Check that targets are integers or class probabilities for logits (B, K), on their device."""
    check_class_targets(targets)
    if targets.shape not in ((len(logits),), logits.shape):
        raise ValueError(
            f"targets must be (B,) or (B, K) for logits {tuple(logits.shape)}, found {tuple(targets.shape)}. Give the "
            "module as many outputs as there are classes, and num_classes, if any, the same number."
        )
    check_device("targets", targets, logits, "logits")


def _check_kind(kind: str) -> None:
    advice = "Set comixup_loss_kind, or pass kind, to one of them."
    check_choice("The loss kind", kind, get_args(LossKind), advice=advice)


def _check_options(
    kind: str, label_smoothing: float, class_weights: Tensor | None, reduction: str, classes: int
) -> None:
    _check_kind(kind)
    check_number("label_smoothing", label_smoothing, lowest=0.0, highest=1.0, advice="Use 0 for none.")
    check_choice("reduction", reduction, get_args(Reduction), advice='Use "none" for one loss per sample.')
    if class_weights is None:
        return
    remedy = "Make it once, by `torch.tensor([...])` with one weight per class."
    if not isinstance(class_weights, Tensor):
        raise TypeError(f"class_weights must be a tensor (K,), found {type(class_weights).__name__}. {remedy}")
    if class_weights.shape != (classes,):
        raise ValueError(f"class_weights must be (K,) = ({classes},), found {tuple(class_weights.shape)}. {remedy}")


def _raise_cause(logits: Tensor, targets: Tensor) -> None:
    """Raise an error that names the values that made a loss fail, if any did."""
    if not bool(logits.isfinite().all()):
        raise ValueError(
            "logits must be finite, found NaN or infinity. Lower the learning rate, or find the cause with "
            "torch.autograd.set_detect_anomaly."
        )
    if targets.numel() == 0:
        return
    lowest, highest = (bound.item() for bound in torch.aminmax(targets))
    classes = logits.shape[1]
    if targets.ndim == 1 and not (lowest >= 0 and highest < classes):
        raise ValueError(
            f"Integer targets must lie in [0, {classes}) for {classes} logits, found {lowest} to {highest}. Give the "
            "module one output per class, or leave out samples without a class."
        )
    if targets.ndim == 2 and not (lowest >= 0 and highest <= 1):
        raise ValueError(
            f'Soft targets must lie in [0, 1] for the loss kind "bce", found {lowest:.4g} to {highest:.4g}. Normalise '
            "their rows."
        )
