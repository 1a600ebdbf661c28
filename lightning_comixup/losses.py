"""Losses for integer and for soft targets."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_comixup.autocast import without_autocast
from lightning_comixup.loss_checks import (
    LossKind,
    Reduction,
    check_logits,
    check_loss_kind,
    check_loss_options,
    check_loss_targets,
    name_cause,
)


def soft_target_loss(
    logits: Tensor,
    targets: Tensor,
    kind: LossKind,
    *,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return the loss of logits against integer or soft targets, at least in float32.

    Args:
        logits: (B, K).
        targets: (B,) integer, or (B, K) class probabilities.
        kind: "ce": cross-entropy (the authors on ImageNet); "bce": binary cross-entropy of the softmax, averaged over
            the classes (the authors on CIFAR and Tiny-ImageNet).
        label_smoothing: Share ε of each target that is spread evenly over the classes.
        class_weights: (K,) weight of each class's term.
        reduction: "mean" or "sum" over the batch, or "none": (B,). As in PyTorch the mean with `class_weights` and
            integer targets divides by the targets' weights, with class probabilities by the batch size.

    Raises:
        TypeError: If logits are no floating tensor, targets no tensor, or an option has the wrong type.
        ValueError: If shapes, dtypes or devices do not fit, an integer is no class or an option is out of its range.
    """
    check_logits(logits)
    check_loss_targets(targets, logits)
    check_loss_options(kind, label_smoothing, class_weights, reduction, logits.shape[1])
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    weights = None if class_weights is None else class_weights.to(wide)
    targets = targets.to(wide.dtype) if targets.ndim == 2 else targets.long()
    try:
        if kind == "ce":
            return F.cross_entropy(wide, targets, weights, reduction=reduction, label_smoothing=label_smoothing)
        return _softmax_bce(wide, targets, label_smoothing, weights, reduction)
    except (IndexError, RuntimeError):  # PyTorch's for values out of range, and for much else
        name_cause(wide.detach(), targets)
        raise


def _softmax_bce(
    logits: Tensor, targets: Tensor, label_smoothing: float, class_weights: Tensor | None, reduction: Reduction
) -> Tensor:
    rows = targets if targets.ndim == 2 else F.one_hot(targets, logits.shape[1]).to(logits.dtype)
    if label_smoothing > 0:
        rows = rows * (1 - label_smoothing) + label_smoothing / logits.shape[1]
    with without_autocast(logits.device):  # which refuses this function, unsafe in half precision
        if reduction == "mean":
            return F.binary_cross_entropy(logits.softmax(1), rows, class_weights)
        losses = F.binary_cross_entropy(logits.softmax(1), rows, class_weights, reduction="none").mean(1)
    return losses.sum() if reduction == "sum" else losses


def clean_loss(logits: Tensor, targets: Tensor, kind: LossKind) -> Tensor:
    """Return the authors' clean loss that goes with a kind of mixed loss.

    "ce": cross-entropy. "bce": 2/K times the cross-entropy, which rebalances the clean gradient against a binary
    cross-entropy averaged over K classes.

    Raises:
        TypeError: As of `soft_target_loss`.
        ValueError: As of `soft_target_loss`.
    """
    check_loss_kind(kind)
    loss = soft_target_loss(logits, targets, "ce")
    return loss if kind == "ce" else loss * 2 / logits.shape[1]
