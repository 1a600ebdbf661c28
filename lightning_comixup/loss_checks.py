"""What the losses take. Values on a device are not looked at, which would wait for it, but once a loss has failed."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from lightning_comixup.hyperparameters import check_choice, check_number
from lightning_comixup.targets import check_class_targets
from lightning_comixup.tensor_checks import check_device

LossKind = Literal["ce", "bce"]
Reduction = Literal["mean", "sum", "none"]


def check_logits(logits: Tensor) -> None:
    """Check that logits are floating (B, K) of at least two classes.

    Raises:
        TypeError: If they are no floating tensor.
        ValueError: If their shape is another.
    """
    remedy = (
        "Pass the logits alone; where module(inputs) gives more, override comixup_clean_loss(inputs, targets) of "
        "CoMixupMixin, or give compute_saliency a loss_fn."
    )
    if not isinstance(logits, Tensor):
        raise TypeError(f"logits must be a tensor (B, K), found {type(logits).__name__}. {remedy}")
    if logits.ndim != 2:
        raise ValueError(f"logits must be a tensor (B, K), found shape {tuple(logits.shape)}. {remedy}")
    if not logits.is_floating_point():
        raise TypeError(f"logits must be floating, found {logits.dtype}: no gradient would pass. {remedy}")
    if logits.shape[1] < 2:
        raise ValueError(
            f"logits must have at least two classes, found shape {tuple(logits.shape)}: the loss would be constant. "
            "For a single logit give (B, 1) targets with CoMixup(linear_targets=True), and override comixup_clean_loss."
        )


def check_loss_targets(targets: Tensor, logits: Tensor) -> None:
    """Check that targets are integers or class probabilities for logits (B, K), on their device.

    Raises:
        TypeError: If they are no tensor.
        ValueError: If shape, dtype or device is another.
    """
    check_class_targets(targets)
    if targets.shape not in ((len(logits),), logits.shape):
        raise ValueError(
            f"targets must be (B,) or (B, K) for logits {tuple(logits.shape)}, found {tuple(targets.shape)}. Give the "
            "module as many outputs as there are classes, and num_classes, if any, the same number."
        )
    check_device("targets", targets, logits, "logits")


def check_loss_options(
    kind: str, label_smoothing: float, class_weights: Tensor | None, reduction: str, classes: int
) -> None:
    """Check the loss kind and what `comixup_loss` takes besides.

    Raises:
        TypeError: If an option has the wrong type.
        ValueError: If it is out of its range.
    """
    check_loss_kind(kind)
    check_number("label_smoothing", label_smoothing, lowest=0.0, highest=1.0, advice="Use 0 for none.")
    check_choice("reduction", reduction, get_args(Reduction), advice='Use "none" for one loss per sample.')
    if class_weights is None:
        return
    remedy = "Make it once, by `torch.tensor([...])` with one weight per class."
    if not isinstance(class_weights, Tensor):
        raise TypeError(f"class_weights must be a tensor (K,), found {type(class_weights).__name__}. {remedy}")
    if class_weights.shape != (classes,):
        raise ValueError(f"class_weights must be (K,) = ({classes},), found {tuple(class_weights.shape)}. {remedy}")


def check_loss_kind(kind: str) -> None:
    """Check that a loss kind is known.

    Raises:
        ValueError: If it is not.
    """
    check_choice(
        "The loss kind", kind, get_args(LossKind), advice="Set comixup_loss_kind, or pass kind, to one of them."
    )


def name_cause(logits: Tensor, targets: Tensor) -> None:
    """Say which values made a loss fail, if any did: only then, since to look waits for the device.

    Raises:
        ValueError: If integers are no classes, rows are no probabilities or logits are not finite.
    """
    if not bool(logits.isfinite().all()):
        raise ValueError(
            "logits must be finite, found NaN or infinity. Lower the learning rate, or find the cause with "
            "torch.autograd.set_detect_anomaly."
        )
    if targets.numel() == 0:
        return
    lowest, highest = (bound.item() for bound in torch.aminmax(targets))
    classes = logits.shape[1]
    if targets.ndim == 1 and not (lowest >= 0 and highest < classes):
        raise ValueError(
            f"Integer targets must lie in [0, {classes}) for {classes} logits, found {lowest} to {highest}. Give the "
            "module one output per class, or leave out samples without a class."
        )
    if targets.ndim == 2 and not (lowest >= 0 and highest <= 1):
        raise ValueError(
            f'Soft targets must lie in [0, 1] for the loss kind "bce", found {lowest:.4g} to {highest:.4g}. Normalise '
            "their rows."
        )
