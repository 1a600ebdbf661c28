"""Losses for integer and for soft targets."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

LossKind = Literal["ce", "bce"]


def soft_target_loss(logits: Tensor, targets: Tensor, kind: LossKind) -> Tensor:
    """Return the loss of logits against integer or soft targets, at least in float32.

    Args:
        logits: (B, K).
        targets: (B,) integer, or (B, K) class probabilities.
        kind: "ce": cross-entropy (the authors on ImageNet); "bce": mean over batch and classes of the binary
            cross-entropy of the softmax (the authors on CIFAR and Tiny-ImageNet).

    Raises:
        ValueError: If the shapes do not fit or the kind is unknown.
    """
    if kind not in ("ce", "bce"):
        raise ValueError(f"The loss kind must be 'ce' or 'bce', found {kind!r}.")
    if logits.ndim != 2:
        raise ValueError(f"logits must be (B, K), found shape {tuple(logits.shape)}.")
    if targets.shape not in ((len(logits),), logits.shape):
        raise ValueError(
            f"targets must be (B,) or (B, K) for logits {tuple(logits.shape)}, found {tuple(targets.shape)}."
        )
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if targets.ndim == 2:
        targets = targets.to(wide.dtype)
    if kind == "ce":
        return F.cross_entropy(wide, targets)
    rows = targets if targets.ndim == 2 else F.one_hot(targets, logits.shape[1]).to(wide.dtype)
    with torch.autocast(logits.device.type, enabled=False):  # which refuses this function, unsafe in half precision
        return F.binary_cross_entropy(wide.softmax(1), rows)


def clean_loss(logits: Tensor, targets: Tensor, kind: LossKind) -> Tensor:
    """Return the authors' clean loss that goes with a kind of mixed loss.

    "ce": cross-entropy. "bce": 2/K times the cross-entropy, which rebalances the clean gradient against a binary
    cross-entropy averaged over K classes.
    """
    loss = soft_target_loss(logits, targets, "ce")
    return loss if kind == "ce" else loss * 2 / logits.shape[1]
