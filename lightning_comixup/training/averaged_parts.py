"""The parts of a batch that are averaged like the targets: integers as one-hot rows, never as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_comixup.soft_targets.targets import TargetRows, flatten_labels, target_rows
from lightning_comixup.training.batch_layout import describe_key
from lightning_comixup.training.config import MixingConfig
from lightning_comixup.training.target_kind import TargetKind
from lightning_comixup.validation import DeferredCheck, combine_checks


def average_rows(
    parts: list[Tensor], targets: TargetRows, kinds: Sequence[TargetKind], config: MixingConfig
) -> tuple[list[Tensor], DeferredCheck | None]:
    """Return the parts of `also_average` as rows to average, and a single check of their values and the targets'.

    Integers (B,) or (B, 1) are class labels and become one-hot rows, unless a loss was seen to treat them as numbers.
    Their number of classes is the one given in `also_average` or observed, and otherwise that of the targets.
    Floating-point parts and flags (bool) of any shape are averaged directly.

    Args:
        parts: The parts of a clean batch.
        targets: The rows of its targets.
        kinds: The kinds of the targets and of each part.
        config: The configuration.

    Raises:
        TypeError: If integers have any other shape.
        ValueError: If a number of classes is missing, or does not fit the part.
    """
    known = None if kinds[0].linear else targets.rows.shape[1]
    options = zip(config.also_average, parts, config.average_classes, kinds[1:], strict=True)
    found = [
        _rows(part, given or kind.num_classes, known, kind.ignored, f"{describe_key(key)} in also_average")
        if part.is_floating_point() or not kind.linear
        else TargetRows(part.float(), None)
        for key, part, given, kind in options
    ]
    return [rows for rows, _ in found], combine_checks(targets.check, *(check for _, check in found))


def _rows(part: Tensor, given: int | None, known: int | None, ignored: int | None, name: str) -> TargetRows:
    if part.is_floating_point() or part.is_complex() or part.dtype == torch.bool:
        if given is not None and part.shape[1:] != (given,):
            raise ValueError(
                f"{name} must have one column for each of its {given} classes, found shape {tuple(part.shape)} of "
                f"{part.dtype}. Give integer labels as (B,), and None as the number for a part without classes."
            )
        return TargetRows(part, None)
    labels = flatten_labels(part)
    if labels.ndim != 1:
        raise TypeError(
            f"{name} must be floating-point, bool, or integer labels (B,), found shape {tuple(part.shape)} of "
            f"{part.dtype}: a mean of integers is not a class. Convert quantities with `.float()`, and flags with "
            "`.bool()`."
        )
    classes = known if given is None else given
    if classes is None:
        raise ValueError(
            f"{name} must have its number of classes, found None for integer labels: they are averaged as one-hot "
            "rows. Give it in a mapping, such as also_average={'coarse_label': 20}. Convert quantities with `.float()`."
        )
    return target_rows(labels, classes, name, ignored)
