"""Targets as rows of class probabilities, and their checks."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_comixup.hyperparameters import check_count
from lightning_comixup.tensor_checks import check_dense, check_rows
from lightning_comixup.verdict import Verdict

# How far from 1 the sum of a row of soft targets may be: rounding of a softmax in bf16.
_SUM_TOLERANCE = 1e-2


class TargetRows(NamedTuple):
    """Targets to mix, and whether their values are right."""

    rows: Tensor  # (B, K) float32 class probabilities; linear targets of any shape (B, ...) as they are
    verdict: Verdict | None  # None: any values will do


def target_rows(targets: Tensor, batch_size: int, num_classes: int | None) -> TargetRows:
    """Return targets as (B, K) float32 rows of class probabilities.

    Their values are not looked at here, which would wait for the device: the verdict tells whether each integer is a
    class and each row of probabilities is not negative and sums to 1.

    Raises:
        ValueError: If the shape does not fit, or `num_classes` is missing, too low or disagrees.
        TypeError: If they are no tensor, or `num_classes` is no integer.
    """
    if num_classes is not None:
        check_count("num_classes", num_classes, advice="Give the number of classes K.")
    check_rows("targets", targets, batch_size)
    check_class_targets(targets)
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
    return TargetRows(rows, Verdict(passed, partial(_refuse_rows, rows, sums)))


def check_class_targets(targets: Tensor, name: str = "targets") -> None:
    """Check by shape and dtype that targets, called `name` in the error, are integers (B,) or probabilities (B, K).

    Raises:
        TypeError: If they are no dense tensor.
        ValueError: If they are neither.
    """
    if not isinstance(targets, Tensor):
        raise TypeError(f"{name} must be a tensor, found {type(targets).__name__}. Convert them by `torch.tensor`.")
    check_dense(name, targets)
    is_integer = not targets.is_floating_point() and not targets.is_complex()
    if not (targets.ndim == 1 and is_integer) and (targets.ndim != 2 or targets.is_complex()):
        raise ValueError(
            f"{name} must be (B,) integer or (B, K) class probabilities, found shape {tuple(targets.shape)} of "
            f"{targets.dtype}. Convert class labels by `.long()`; for regression and the like use "
            "CoMixup(linear_targets=True) and override comixup_clean_loss."
        )


def one_hot_targets(targets: Tensor, num_classes: int) -> Tensor:
    """Return integer targets as (B, K) float32 rows with a single 1; a row of zeros where the target is no class."""
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
    refuse = partial(_refuse_integers, lowest, highest, num_classes)
    return TargetRows(one_hot_targets(targets, num_classes), Verdict(passed, refuse))


def _refuse_integers(lowest: Tensor, highest: Tensor, num_classes: int) -> None:
    raise ValueError(
        f"Integer targets must lie in [0, {num_classes}), found {int(lowest)} to {int(highest)}. Raise num_classes, or "
        "leave out samples without a class."
    )


def _refuse_rows(rows: Tensor, sums: Tensor) -> None:
    lowest, highest = float(sums.min()), float(sums.max())
    raise ValueError(
        f"Rows of soft targets must not be negative and must sum to 1, found sums from {lowest:.4g} to {highest:.4g} "
        f"and values from {float(rows.min()):.4g}. Normalise them; for targets that are no class probabilities use "
        "CoMixup(linear_targets=True)."
    )
