"""The checks of `plot_mixed_batch`."""

from __future__ import annotations

from collections.abc import Sequence, Sized

import torch
from torch import Tensor

from lightning_comixup.functional import MixedBatch
from lightning_comixup.validation import check_rows, check_saliency


def check_picture(
    inputs: Tensor,
    mixed: MixedBatch,
    targets: Tensor | None,
    saliency: Tensor | None,
    class_names: Sequence[str] | None,
) -> None:
    """Check that everything to be drawn comes from one batch of signals, images or volumes.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument does not fit the mixed batch.
    """
    if not isinstance(mixed, MixedBatch):
        raise TypeError(f"mixed must be a MixedBatch, found {type(mixed).__name__}. Pass the result of comixup_batch.")
    check_rows("inputs", inputs, len(mixed.inputs))
    if inputs.shape != mixed.inputs.shape or inputs.ndim not in (3, 4, 5):
        raise ValueError(
            "inputs must be the clean signals, images or volumes, (B, C, *spatial), of the mixed batch: found "
            f"{tuple(inputs.shape)} and {tuple(mixed.inputs.shape)}. Pass the inputs that were mixed."
        )
    covered = sum(len(masks) for masks in mixed.masks)
    if covered != len(inputs):
        raise ValueError(
            f"mixed.masks must cover the {len(inputs)} outputs, found {covered}. Pass the result of comixup_batch."
        )
    if saliency is not None:
        check_saliency(saliency, inputs)
    classes = mixed.targets.shape[1] if mixed.targets.ndim == 2 else 0
    if targets is not None:
        check_rows("targets", targets, len(inputs))
        _check_classes(targets, classes)
    if class_names is not None:
        _check_names(class_names, classes)


def _check_classes(targets: Tensor, classes: int) -> None:
    if not names_classes(targets) or not classes:
        return
    lowest, highest = (int(bound) for bound in torch.aminmax(targets.long()))
    if lowest < 0 or highest >= classes:
        raise ValueError(
            f"targets must lie in [0, {classes}) for the classes of the mixed targets, found {lowest} to {highest}. "
            "Pass the integer targets that were mixed."
        )


def _check_names(class_names: object, classes: int) -> None:
    found = len(class_names) if isinstance(class_names, Sized) and hasattr(class_names, "__getitem__") else None
    if found is None:
        raise TypeError(f"class_names must be a list of names, found {class_names!r}. Leave it None for numbers.")
    if found < classes:
        raise ValueError(
            f"class_names must name all {classes} classes, found {found} names. Leave it None for numbers."
        )


def names_classes(targets: Tensor) -> bool:
    """Whether targets are integers (B,). Other targets are not drawn."""
    return targets.ndim == 1 and not targets.is_floating_point() and not targets.is_complex()
