"""Checks of the losses' arguments.

Values on a device are read only after a loss has failed, since reading them waits for the device.
"""

from __future__ import annotations

from numbers import Integral
from typing import Literal, get_args

import torch
from torch import Tensor

from lightning_comixup.validation import (
    LEAST_INTEGER,
    MOST_INTEGER,
    check_choice,
    check_class_targets,
    check_device,
    check_function,
    check_number,
)

LossKind = Literal["ce", "bce"]
Reduction = Literal["mean", "sum", "none"]


def check_logits(logits: Tensor) -> None:
    """Check that logits are floating-point (B, K) with at least two classes.

    Raises:
        TypeError: If they are not a floating-point tensor.
        ValueError: If they have a different shape.
    """
    _check_outputs(logits)
    if logits.shape[1] < 2:
        raise ValueError(
            f"logits must have at least two classes, found shape {tuple(logits.shape)}: the loss would be constant. "
            "For a single logit use torch's binary_cross_entropy_with_logits, in training_step or as the loss_fn."
        )


def check_targets(targets: Tensor, logits: Tensor) -> None:
    """Check that targets are integers or class probabilities for logits (B, K), on their device.

    Raises:
        TypeError: If they are not a dense tensor.
        ValueError: If their shape, dtype or device does not fit.
    """
    check_class_targets(targets)
    if targets.shape not in ((len(logits),), logits.shape):
        raise ValueError(
            f"targets must be (B,) or (B, K) for logits {tuple(logits.shape)}, found {tuple(targets.shape)}. Give the "
            "module as many outputs as there are classes, and set num_classes, if you use it, to the same number."
        )
    check_device("targets", targets, logits, "logits")


def check_kind(kind: str) -> None:
    """Check the kind of a loss.

    Raises:
        ValueError: If there is no such kind.
    """
    advice = "Set comixup_loss_kind, or pass kind, to one of them."
    check_choice("The loss kind", kind, get_args(LossKind), advice=advice)


def check_reduction(reduction: str) -> None:
    """Check the reduction of the samples' losses.

    Raises:
        ValueError: If there is no such reduction.
    """
    check_choice("reduction", reduction, get_args(Reduction), advice='Use "none" for one loss per sample.')


def check_index(ignore_index: object) -> int | None:
    """Return the ignored index as a Python integer; None stays None.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it does not fit in 64 bits.
    """
    if ignore_index is None:
        return None
    if isinstance(ignore_index, bool) or not isinstance(ignore_index, Integral):
        raise TypeError(f"ignore_index must be an integer, found {ignore_index!r}. Leave it None to ignore nothing.")
    if not LEAST_INTEGER <= int(ignore_index) <= MOST_INTEGER:
        raise ValueError(
            f"ignore_index must be an integer that fits in 64 bits, found {ignore_index}. Use the value in your data, "
            "often -100."
        )
    return int(ignore_index)


def check_options(label_smoothing: float, class_weights: Tensor | None, classes: int) -> None:
    """Check the options of the package's own losses.

    Raises:
        TypeError: If one has the wrong type.
        ValueError: If `label_smoothing` is out of range or `class_weights` have the wrong shape.
    """
    check_number("label_smoothing", label_smoothing, lowest=0.0, highest=1.0, advice="Use 0 for no smoothing.")
    if class_weights is None:
        return
    remedy = "Create it once, as `torch.tensor([...])` with one weight per class."
    if not isinstance(class_weights, Tensor):
        raise TypeError(f"class_weights must be a tensor (K,), found {type(class_weights).__name__}. {remedy}")
    if class_weights.shape != (classes,):
        raise ValueError(f"class_weights must be (K,) = ({classes},), found {tuple(class_weights.shape)}. {remedy}")


def check_own_loss(
    loss_fn: object, outputs: Tensor, targets: Tensor, kind: str | None, smoothing: float, weights: Tensor | None
) -> None:
    """Check a call with the user's own loss, whose first argument need not be logits.

    Raises:
        TypeError: If `loss_fn` is not a function, outputs are not a floating-point tensor or targets are not a tensor.
        ValueError: If options of the package's losses are given as well, or shapes or devices do not fit.
    """
    advice = "Leave it None to use the loss kinds. If it is a class, such as a focal loss, make an instance."
    check_function("loss_fn", loss_fn, "(logits, integer targets)", advice=advice)
    given = {"kind": kind is not None, "label_smoothing": smoothing != 0, "class_weights": weights is not None}
    if any(given.values()):
        raise ValueError(
            "loss_fn must come without kind, label_smoothing and class_weights, found "
            f"{' and '.join(name for name in given if given[name])} as well. Apply smoothing or weights in loss_fn."
        )
    _check_outputs(outputs)
    check_class_targets(targets)
    if len(targets) != len(outputs):
        raise ValueError(
            f"targets must have one row per row of the logits, found {tuple(targets.shape)} for "
            f"{tuple(outputs.shape)}. Pass targets of the same batch."
        )
    check_device("targets", targets, outputs, "logits")


def raise_cause(logits: Tensor, targets: Tensor, ignore_index: int | None) -> None:
    """Raise an error that names the values that made a loss fail, if that was the cause.

    Raises:
        ValueError: If a logit is not finite, an integer target not a class, or a soft target not in [0, 1].
    """
    if not bool(logits.isfinite().all()):
        raise ValueError(
            "logits must be finite, found NaN or infinity. Lower the learning rate, or find the cause with "
            "torch.autograd.set_detect_anomaly."
        )
    if targets.ndim == 1 and ignore_index is not None:
        targets = targets[targets != ignore_index]
    if targets.numel() == 0:
        return
    lowest, highest = (bound.item() for bound in torch.aminmax(targets))
    classes = logits.shape[1]
    if targets.ndim == 1 and not (lowest >= 0 and highest < classes):
        raise ValueError(
            f"Integer targets must lie in [0, {classes}) for {classes} logits, found {lowest} to {highest}. Give the "
            "module one output per class, or leave out samples without a class, with ignore_index in comixup_loss."
        )
    if targets.ndim == 2 and not (lowest >= 0 and highest <= 1):
        raise ValueError(
            f'Soft targets must lie in [0, 1] for the loss kind "bce", found {lowest:.4g} to {highest:.4g}. Normalise '
            "their rows."
        )


def _check_outputs(logits: Tensor) -> None:
    remedy = (
        "Pass the logits alone. If module(inputs) returns more, override comixup_clean_loss(inputs, targets) of "
        "CoMixupMixin, or give compute_saliency a loss_fn."
    )
    if not isinstance(logits, Tensor):
        raise TypeError(f"logits must be a tensor (B, K), found {type(logits).__name__}. {remedy}")
    if logits.ndim != 2:
        raise ValueError(f"logits must be a tensor (B, K), found shape {tuple(logits.shape)}. {remedy}")
    if not logits.is_floating_point():
        raise TypeError(f"logits must be floating-point, found {logits.dtype}: they would get no gradient. {remedy}")
