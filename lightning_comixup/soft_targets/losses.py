"""Losses for integer and soft targets."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_comixup.soft_targets.integer_losses import PerSampleLoss, losses_by_class
from lightning_comixup.soft_targets.loss_checks import (
    LossKind,
    Reduction,
    check_index,
    check_kind,
    check_logits,
    check_options,
    check_own_loss,
    check_reduction,
    check_targets,
    raise_cause,
)
from lightning_comixup.soft_targets.targets import flatten_labels
from lightning_comixup.validation import widen

# PyTorch's cross-entropy always ignores some index, by default -100. This index is never a target. It is the lowest
# integer of 32 bits, since some devices compare only that many.
_NOTHING = torch.iinfo(torch.int32).min


class _Options(NamedTuple):
    kind: LossKind
    label_smoothing: float = 0.0
    class_weights: Tensor | None = None  # in the logits' precision
    ignore_index: int | None = None
    reduction: Reduction = "mean"


def soft_target_loss(
    logits: Tensor,
    targets: Tensor,
    kind: LossKind | None = None,
    *,
    label_smoothing: float = 0.0,
    class_weights: Tensor | None = None,
    ignore_index: int | None = None,
    loss_fn: PerSampleLoss | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Return the loss of logits against integer or soft targets, in float32 or wider.

    Args:
        logits: (B, K); with a `loss_fn`, the (B, D) outputs that it expects.
        targets: (B,) or (B, 1) integer, or (B, K) class probabilities.
        kind: "ce": cross-entropy (the authors on ImageNet); "bce": binary cross-entropy of the softmax, averaged over
            the classes (the authors on CIFAR and Tiny-ImageNet). None means "ce".
        label_smoothing: Share ε of each target that is spread evenly over the classes.
        class_weights: (K,) weight of each class's term. As in PyTorch, the mean of "ce" then divides by the weights of
            the targets. Unlike in PyTorch, it does so for class probabilities too, so that one-hot rows and integers
            agree.
        ignore_index: Integer target of samples that do not count. If None, every sample counts. Otherwise a row of
            zeros does not count either, and the mean divides by the sum of the targets. If nothing counts, it is 0.
        loss_fn: A loss that accepts only integers, used instead of the kinds; see `losses_by_class`.
        reduction: "mean" or "sum" over the batch, or "none" for one loss per sample (B,).

    Raises:
        TypeError: If logits are not a floating-point tensor, targets are not a tensor, or an option has the wrong type.
        ValueError: If shapes, dtypes or devices do not fit, an integer is not a class or an option is out of range.
    """
    check_reduction(reduction)
    ignored = check_index(ignore_index)
    targets = flatten_labels(targets)
    if loss_fn is not None:
        check_own_loss(loss_fn, logits, targets, kind, label_smoothing, class_weights)
        losses = losses_by_class(loss_fn, logits, targets, ignored)
        return _reduce(losses, targets, ignored, reduction)
    check_logits(logits)
    check_targets(targets, logits)
    kind = "ce" if kind is None else kind
    check_kind(kind)
    check_options(label_smoothing, class_weights, logits.shape[1])
    return _loss(logits, targets, _Options(kind, label_smoothing, class_weights, ignored, reduction))


def clean_loss(logits: Tensor, targets: Tensor, kind: LossKind) -> Tensor:
    """Return the authors' clean loss that goes with a kind of mixed loss.

    For "ce" it is the cross-entropy. For "bce" it is 2/K times the cross-entropy, which rebalances the clean gradient
    against a binary cross-entropy averaged over K classes.

    Raises:
        TypeError: See `soft_target_loss`.
        ValueError: See `soft_target_loss`.
    """
    check_logits(logits)
    targets = flatten_labels(targets)
    check_targets(targets, logits)
    check_kind(kind)
    loss = _loss(logits, targets, _Options("ce"))
    return loss if kind == "ce" else loss * 2 / logits.shape[1]


def _loss(logits: Tensor, targets: Tensor, options: _Options) -> Tensor:
    wide = widen(logits)
    if options.class_weights is not None:
        options = options._replace(class_weights=options.class_weights.to(wide))
    targets = targets.to(wide.dtype) if targets.ndim == 2 else targets.long()
    try:
        if options.kind == "ce":
            return _cross_entropy(wide, targets, options)
        return _softmax_bce(wide, targets, options)
    except (IndexError, RuntimeError):  # PyTorch raises these for values out of range and for many other reasons
        raise_cause(wide.detach(), targets, options.ignore_index)
        raise


def _cross_entropy(logits: Tensor, targets: Tensor, options: _Options) -> Tensor:
    _, smoothing, weights, ignored, reduction = options
    is_soft = targets.ndim == 2
    divides = reduction == "mean" and (ignored is not None or (is_soft and weights is not None))
    mass = _mass(targets, ignored, weights) if divides else None
    if is_soft and ignored is not None and smoothing > 0:  # PyTorch would smooth rows of zeros as well
        targets = targets * (1 - smoothing) + targets.sum(1, keepdim=True) * (smoothing / logits.shape[1])
        smoothing = 0.0
    loss = F.cross_entropy(
        logits,
        targets,
        weights,
        ignore_index=_NOTHING if ignored is None or is_soft else ignored,
        reduction=reduction if mass is None else "sum",
        label_smoothing=smoothing,
    )
    return loss if mass is None else _divide(loss, mass)


def _softmax_bce(logits: Tensor, targets: Tensor, options: _Options) -> Tensor:
    _, smoothing, weights, ignored, reduction = options
    rows, mass = (targets, None) if ignored is None else _normalise(targets, ignored)
    rows = rows if rows.ndim == 2 else F.one_hot(rows, logits.shape[1]).to(logits.dtype)
    if smoothing > 0:
        rows = rows * (1 - smoothing) + smoothing / logits.shape[1]
    with without_autocast(logits.device):  # autocast rejects this function, which is unsafe in half precision
        if reduction == "mean" and mass is None:
            return F.binary_cross_entropy(logits.softmax(1), rows, weights)
        losses = F.binary_cross_entropy(logits.softmax(1), rows, weights, reduction="none").mean(1)
    return _reduce(losses if mass is None else losses * mass, targets, ignored, reduction)


def _normalise(targets: Tensor, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Return targets normalised to a mass of 1, and their original masses (B,), which are 0 for ignored samples.

    Without this, the binary cross-entropy would treat missing mass as evidence against the classes.
    """
    if targets.ndim == 2:
        mass = targets.sum(1)
        return _divide(targets, mass.unsqueeze(1)), mass
    counts = targets.ne(ignore_index)
    return targets.masked_fill(~counts, 0), counts


def _reduce(losses: Tensor, targets: Tensor, ignore_index: int | None, reduction: Reduction) -> Tensor:
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    return losses.mean() if ignore_index is None else _divide(losses.sum(), _mass(targets, ignore_index, None))


def _mass(targets: Tensor, ignore_index: int | None, weights: Tensor | None) -> Tensor:
    """Return the sum of the targets that count, with each class multiplied by its weight."""
    if targets.ndim == 2:  # a matrix product would be subject to PyTorch's setting for lower precision
        return (widen(targets) if weights is None else targets * weights).sum()
    assert ignore_index is not None
    targets = targets.long()
    counts = targets.ne(ignore_index)
    return counts.sum() if weights is None else (weights[targets.masked_fill(~counts, 0)] * counts).sum()


def _divide(values: Tensor, mass: Tensor) -> Tensor:
    """Return values / mass; where nothing counts, return the values, which are 0."""
    return values / torch.where(mass > 0, mass, torch.ones_like(mass))


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return a context without autocast. PyTorch cannot switch it off on device types that do not support it."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
