"""Targets as rows of class probabilities."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_comixup.validation import DeferredCheck

# How far from 1 the sum of a row of soft targets may be: rounding of a softmax in bf16.
_SUM_TOLERANCE = 1e-2


class TargetRows(NamedTuple):
    """Targets to mix, and the check of their values."""

    rows: Tensor  # (B, K) float32 class probabilities; linear targets of any shape (B, ...) as they are
    check: DeferredCheck | None  # None: any values will do


def target_rows(targets: Tensor, num_classes: int | None) -> TargetRows:
    """Return targets as (B, K) float32 rows of class probabilities.

    Their values are not read here, which would wait for the device. A deferred check covers them: each integer must be
    a class, and each row of probabilities must not be negative and must sum to 1.

    Args:
        targets: (B,) integer or (B, K) class probabilities, see `check_class_targets`.
        num_classes: K; needed for integers.

    Raises:
        ValueError: If `num_classes` is missing or disagrees with the targets.
    """
    if targets.ndim == 1:
        return _rows_of_integers(targets, num_classes)
    if num_classes is not None and targets.shape[1] != num_classes:
        raise ValueError(
            f"targets must have num_classes = {num_classes} columns, found shape {tuple(targets.shape)}. Leave "
            "num_classes out for class probabilities, and give integer targets as (B,)."
        )
    rows = targets.to(torch.float32)
    sums = rows.sum(1)
    passed = ((sums - 1).abs() <= _SUM_TOLERANCE).all() & (rows >= 0).all()  # NaN fails as well
    return TargetRows(rows, DeferredCheck(passed, partial(_reject_rows, rows, sums)))


def one_hot_targets(targets: Tensor, num_classes: int) -> Tensor:
    """Return integer targets as (B, K) float32 rows with a single 1; a row of zeros where the target is not a class."""
    return (targets.unsqueeze(1) == torch.arange(num_classes, device=targets.device)).to(torch.float32)


def _rows_of_integers(targets: Tensor, num_classes: int | None) -> TargetRows:
    if num_classes is None:
        raise ValueError(
            "num_classes must be given for integer targets, found None: a batch need not hold every class. Pass "
            "num_classes=K."
        )
    targets = targets.long()  # other types have no minimum, or wrap around
    lowest, highest = torch.aminmax(targets)
    passed = (lowest >= 0) & (highest < num_classes)
    reject = partial(_reject_integers, lowest, highest, num_classes)
    return TargetRows(one_hot_targets(targets, num_classes), DeferredCheck(passed, reject))


def _reject_integers(lowest: Tensor, highest: Tensor, num_classes: int) -> None:
    raise ValueError(
        f"Integer targets must lie in [0, {num_classes}), found {int(lowest)} to {int(highest)}. Raise num_classes, or "
        "leave out samples without a class."
    )


def _reject_rows(rows: Tensor, sums: Tensor) -> None:
    lowest, highest = float(sums.min()), float(sums.max())
    raise ValueError(
        f"Rows of soft targets must not be negative and must sum to 1, found sums from {lowest:.4g} to {highest:.4g} "
        f"and values from {float(rows.min()):.4g}. Normalise them; for targets that are no class probabilities use "
        "CoMixup(linear_targets=True)."
    )
