"""The kind of a run's targets: classes or numbers, and the number of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_comixup.soft_targets.targets import TargetRows, flatten_labels, target_rows
from lightning_comixup.training.config import MixingConfig
from lightning_comixup.training.loss_watch import BINARY_LOSSES, CLASS_LOSSES, LossCall
from lightning_comixup.validation import check_class_targets


class TargetKind(NamedTuple):
    """The kind of a run's targets."""

    linear: bool  # averaged as numbers; otherwise rows of class probabilities
    num_classes: int | None  # K; None for linear targets, or if it is unknown
    ignored: int | None = None  # the integer of samples without a class
    binary_rows: bool = False  # whether a binary cross-entropy uses the one-hot rows of labels
    smoothed_rows: bool = False  # whether a loss uses such rows smoothed


def find_target_kinds(
    targets: Sequence[Tensor],
    calls: Sequence[Sequence[LossCall]],
    config: MixingConfig,
    outputs: int | None = None,
) -> tuple[TargetKind, ...]:
    """Determine the kind of a batch's targets and of each part of `also_average`.

    Args:
        targets: The targets of a clean batch, then the parts of `also_average`.
        calls: The observed uses of each.
        config: The configuration.
        outputs: Width of the module's output, the number of classes if no use of the targets reveals it.

    Raises:
        ValueError: See `find_target_kind`.
    """
    first = find_target_kind(targets[0], calls[0], config.num_classes, config.linear_targets)
    if not first.linear and first.num_classes is None and not targets[0].is_floating_point() and outputs != 1:
        first = first._replace(num_classes=outputs)
    if config.ignore_index is not None:
        first = first._replace(ignored=config.ignore_index)
    return (first, *map(_kind_of_averaged, targets[1:], calls[1:], config.average_classes))


def _kind_of_averaged(part: Tensor, calls: Sequence[LossCall], num_classes: int | None) -> TargetKind:
    """Determine the kind of a part of `also_average`. Floating-point numbers and flags are averaged directly."""
    if part.is_floating_point() or part.dtype == torch.bool:
        return TargetKind(part.is_floating_point(), None)
    return find_target_kind(part, calls, num_classes, None, "the number of classes in also_average")


def find_target_kind(
    targets: Tensor,
    calls: Sequence[LossCall],
    num_classes: int | None,
    linear_targets: bool | None,
    name: str = "num_classes",
) -> TargetKind:
    """Determine whether targets are classes or numbers, and the number of classes.

    Args:
        targets: The targets of a clean batch.
        calls: The observed uses of the targets.
        num_classes: The user's value.
        linear_targets: The user's value.
        name: The name of the argument for `num_classes`.

    Raises:
        ValueError: If the user's values contradict the observed uses, or these contradict each other.
    """
    if _are_linear(targets, calls, linear_targets):
        return TargetKind(True, None)
    if targets.is_floating_point() and targets.ndim == 1 and any(call.function in CLASS_LOSSES for call in calls):
        raise ValueError(
            f"Class labels must be integers in the batch, found {targets.dtype}, which the step casts: mixed targets "
            "are floating-point rows, which the cast would truncate to 0. Convert labels in the data set with "
            "`.long()`, and remove the cast from the step."
        )
    classes = {call.classes for call in calls if call.classes is not None}
    ignored = {call.ignored for call in calls if call.ignored is not None}
    alone = next(iter(ignored)) if len(ignored) == 1 else None
    binary_rows = any(call.function in BINARY_LOSSES and not call.linear for call in calls)
    smoothed_rows = any(call.smoothed for call in calls)
    if num_classes is None:
        return TargetKind(False, _one_of(classes, calls), alone, binary_rows, smoothed_rows)
    if classes and num_classes not in classes:
        raise ValueError(
            f"{name} must be the number of the module's logits, {min(classes)}, found {num_classes} and "
            f"{_name_calls(calls)}. Leave {name} out, or give the module that many outputs."
        )
    return TargetKind(False, num_classes, alone, binary_rows, smoothed_rows)


def _are_linear(targets: Tensor, calls: Sequence[LossCall], linear_targets: bool | None) -> bool:
    """Whether targets are numbers: by the user's setting, else by the losses, else by their dtype."""
    seen = {call.linear for call in calls}
    if len(seen) == 2 and linear_targets is None:
        raise ValueError(
            "The losses of a step must all use its targets as classes, or all as numbers, found both: "
            f"{_name_calls(calls)}. Choose one with CoMixup(linear_targets=True), or =False."
        )
    if linear_targets is not None and seen == {not linear_targets}:
        raise ValueError(
            f"linear_targets must agree with the losses of the step, found linear_targets={linear_targets} and "
            f"{_name_calls(calls)}. Leave linear_targets out."
        )
    if linear_targets is not None:
        return linear_targets
    return seen == {True} if seen else targets.is_floating_point()


def _one_of(classes: set[int], calls: Sequence[LossCall]) -> int | None:
    if len(classes) > 1:
        raise ValueError(
            f"The losses of a step must agree on the number of classes, found {_name_calls(calls)}. Choose one with "
            "CoMixup(num_classes=...)."
        )
    return next(iter(classes), None)


def _name_calls(calls: Sequence[LossCall]) -> str:
    """Describe the uses of the targets, each once."""
    words = [f"{call.function} of {call.classes} classes" if call.classes else call.function for call in calls]
    return " and ".join(dict.fromkeys(words))


def target_values(targets: Tensor, kind: TargetKind) -> TargetRows:
    """Return targets in the form to average: rows of class probabilities, or numbers.

    Raises:
        TypeError: If class targets are not a dense tensor.
        ValueError: If class targets are neither labels nor rows, or the number of classes is missing or inconsistent.
    """
    if kind.linear:
        return TargetRows(targets if targets.is_floating_point() else targets.float(), None)
    labels = flatten_labels(targets)
    check_class_targets(labels)
    return target_rows(labels, kind.num_classes, ignore_index=kind.ignored)
