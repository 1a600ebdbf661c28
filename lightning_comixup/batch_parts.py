"""The parts of a training batch that are mixed: found in it, and checked before anything runs."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from lightning_comixup.batch_access import get_part
from lightning_comixup.settings import MixingSettings
from lightning_comixup.tensor_checks import check_averaged, check_device, check_inputs, check_rows


class BatchParts(NamedTuple):
    """What is mixed of a batch."""

    inputs: Tensor  # (B, C, *spatial)
    targets: Tensor  # (B, ...)
    others: list[Tensor]  # of `also_mix`, each (B, C, *spatial)
    averaged: list[Tensor]  # of `also_average`, each (B, ...)


def read_parts(batch: Any, settings: MixingSettings) -> BatchParts:
    """Return the parts that the settings name.

    Raises:
        TypeError: If a part is no tensor, or of a layout or dtype that cannot be mixed.
        ValueError: If a part is missing, does not belong to the inputs or requires a gradient.
    """
    inputs = get_part(batch, "input_key", settings.input_key)
    check_inputs(inputs)
    targets = get_part(batch, "target_key", settings.target_key)
    others = [get_part(batch, "also_mix", key) for key in settings.also_mix]
    averaged = [get_part(batch, "also_average", key) for key in settings.also_average]
    for other in others:
        check_inputs(other, "also_mix")
    named_averaged = [("also_average", part) for part in averaged]
    for name, part in [("targets", targets), *(("also_mix", part) for part in others), *named_averaged]:
        check_rows(name, part, len(inputs))
        check_device(name, part, inputs)
    for name, part in [("targets", targets), *named_averaged] if settings.linear_targets else named_averaged:
        check_averaged(name, part)
    if settings.linear_targets and not targets.is_floating_point():
        raise TypeError(
            f"targets must be floating with linear_targets=True, found {targets.dtype}. Convert them by `.float()`; "
            "for class labels leave linear_targets out."
        )
    _check_no_gradient(inputs, targets, *others, *averaged)
    return BatchParts(inputs, targets, others, averaged)


def _check_no_gradient(*parts: Tensor) -> None:
    """Check that nothing before the mixing is to be learned: it would get no gradient."""
    if any(part.requires_grad for part in parts):
        raise ValueError(
            "The parts of a batch that are mixed must not require a gradient, found some that do: mixing cuts them off "
            "from what they come from. Move a learned on_after_batch_transfer into the module's forward."
        )
