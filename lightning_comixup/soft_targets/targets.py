"""Targets as rows of class probabilities."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lightning_comixup.validation import DeferredCheck

# How far the sum of a row of soft targets may be from 1: a softmax in bf16 rounds.
_SUM_TOLERANCE = 1e-2


class TargetRows(NamedTuple):
    """Targets to mix, and the check of their values."""

    rows: Tensor  # (B, K) float32 class probabilities, or linear targets of any shape (B, ...) unchanged
    check: DeferredCheck | None  # None: any values are valid


def flatten_labels(targets: Tensor) -> Tensor:
    """Return integer labels (B, 1) as a view (B,), and anything else unchanged."""
    is_column = isinstance(targets, Tensor) and targets.ndim == 2 and targets.shape[1] == 1
    if not is_column or targets.is_floating_point() or targets.is_complex() or targets.layout != torch.strided:
        return targets
    return targets.squeeze(1)


def target_rows(
    targets: Tensor, num_classes: int | None, name: str = "targets", ignore_index: int | None = None
) -> TargetRows:
    """Return targets as (B, K) float32 rows of class probabilities.

    Their values are not read here, since that would wait for the device. A deferred check covers them: each integer
    must be a class, and each row of probabilities must be non-negative and sum to 1.

    Args:
        targets: (B,) integer or (B, K) class probabilities, see `check_class_targets`.
        num_classes: The number of classes K, required for integers.
        name: What the error message calls integers.
        ignore_index: The integer of samples without a class. Their rows are zero, so that they add nothing to targets.

    Raises:
        ValueError: If `num_classes` is missing or disagrees with the targets.
    """
    if targets.ndim == 1:
        return _rows_of_integers(targets, num_classes, name, ignore_index)
    if num_classes is not None and targets.shape[1] != num_classes:
        raise ValueError(
            f"targets must have num_classes = {num_classes} columns, found shape {tuple(targets.shape)}. Leave "
            "num_classes out for class probabilities, and give integer targets as (B,)."
        )
    rows = targets.to(torch.float32)
    return TargetRows(rows, DeferredCheck((*torch.aminmax(rows.sum(1)), rows.min()), _check_rows))


def one_hot_targets(targets: Tensor, num_classes: int) -> Tensor:
    """Return integer targets as one-hot (B, K) float32 rows, with a row of zeros where the target is not a class."""
    rows = torch.empty(len(targets), num_classes, device=targets.device)
    return torch.eq(targets.unsqueeze(1), torch.arange(num_classes, device=targets.device), out=rows)


def _rows_of_integers(targets: Tensor, num_classes: int | None, name: str, ignore_index: int | None) -> TargetRows:
    if num_classes is None:
        raise ValueError(
            "num_classes must be given for integer targets, found None: a batch need not contain every class. Pass "
            "num_classes=K. For a single logit or other numeric targets pass CoMixup(linear_targets=True). If the step "
            "mixes its batch itself, as by MixUp or CutMix, remove that: CoMixup takes its place."
        )
    targets = targets.long()  # some other integer types have no minimum or wrap around
    check_values = partial(_check_integers, targets, num_classes, name, ignore_index)
    check = DeferredCheck(tuple(torch.aminmax(targets)), check_values)
    return TargetRows(one_hot_targets(targets, num_classes), check)


def _check_integers(
    targets: Tensor, num_classes: int, name: str, ignore_index: int | None, lowest: np.int64, highest: np.int64
) -> None:
    if lowest >= 0 and highest < num_classes:
        return
    counted = targets if ignore_index is None else targets[targets != ignore_index]
    found = counted[(counted < 0) | (counted >= num_classes)]  # this reads the values
    if found.numel() > 0:
        raise ValueError(
            f"Integer {name} must lie in [0, {num_classes}), found {int(lowest)} to {int(highest)}. Raise the number "
            "of classes, shift labels in the data set if they do not begin at 0, or leave out samples without a class "
            "with ignore_index."
        )


def _check_rows(lowest_sum: np.float32, highest_sum: np.float32, lowest: np.float32) -> None:
    # NaN fails every comparison.
    if not (1 - lowest_sum <= _SUM_TOLERANCE and highest_sum - 1 <= _SUM_TOLERANCE and lowest >= 0):
        raise ValueError(
            f"Rows of soft targets must not be negative and must sum to 1, found sums from {lowest_sum:.4g} to "
            f"{highest_sum:.4g} and values from {lowest:.4g}. Normalise them. For targets that are not class "
            "probabilities use CoMixup(linear_targets=True)."
        )
