"""Co-Mixup of a batch as a function: plain PyTorch, no Trainer needed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_comixup.draws import GeneratorLike, as_generator
from lightning_comixup.hyperparameters import check_count, make_hyperparameters
from lightning_comixup.mixing import mix_inputs, mix_targets, one_hot_targets
from lightning_comixup.plan import plan_batch
from lightning_comixup.saliency import check_inputs

# How far from 1 the sum of a row of soft targets may be: rounding of a softmax in bf16.
_SUM_TOLERANCE = 1e-2


class MixedBatch(NamedTuple):
    """A mixed batch.

    Attributes:
        inputs: (B, C, *spatial) in the inputs' dtype and device.
        targets: (B, K) float32 rows summing to 1.
        mixing_weights: (B, B) float32 rows summing to 1: the share of each input in each output.
        masks: One (M, N, *grid) float32 array per partition.
    """

    inputs: Tensor
    targets: Tensor
    mixing_weights: Tensor
    masks: tuple[NDArray[np.float32], ...]


def comixup_batch(
    inputs: Tensor,
    targets: Tensor,
    saliency: Tensor,
    *,
    num_classes: int | None = None,
    generator: GeneratorLike = None,
    **hyperparameters: Any,
) -> MixedBatch:
    """Mix a batch jointly (algorithm 1 of the paper).

    >>> import torch
    >>> from lightning_comixup import comixup_batch
    >>> images, labels = torch.rand(6, 3, 8, 8), torch.tensor([0, 1, 2, 0, 1, 2])
    >>> mixed = comixup_batch(images, labels, images.mean(1), num_classes=3, generator=0)
    >>> mixed.inputs.shape, mixed.targets.shape, mixed.masks[0].shape
    (torch.Size([6, 3, 8, 8]), torch.Size([6, 3]), (6, 6, 4, 4))

    Args:
        inputs: (B, C, *spatial), floating, any number of spatial dimensions from 1; left as they are.
        targets: (B,) integer, or (B, K) floating rows that sum to 1 (one-hot or soft).
        saliency: (B, *spatial), not negative, finite; see `compute_saliency`.
        num_classes: K; needed for integer targets.
        generator: See `lightning_comixup.draws.as_generator`.
        **hyperparameters: As for `CoMixup`.

    Returns:
        The mixed batch; a single sample comes back unmixed.

    Raises:
        TypeError: If inputs are not floating or a hyper-parameter is unknown.
        ValueError: If shapes do not fit, values are out of range or the saliency is not finite.
    """
    parameters = make_hyperparameters(hyperparameters)
    check_inputs(inputs)
    check_saliency(saliency, inputs)
    rows = target_rows(targets, len(inputs), num_classes)
    plan = plan_batch(saliency, parameters, as_generator(generator))
    with torch.no_grad():
        mixed = mix_inputs(inputs, plan.mixing)
        soft_targets = mix_targets(rows, plan.mixing)
    return MixedBatch(mixed, soft_targets, plan.mixing.mixing_weights, plan.masks)


def check_saliency(saliency: Tensor, inputs: Tensor) -> None:
    """Check that a saliency belongs to the inputs.

    Raises:
        TypeError: If it is no floating tensor.
        ValueError: If its shape is not (B, *spatial).
    """
    if not isinstance(saliency, Tensor) or not saliency.is_floating_point():
        found = saliency.dtype if isinstance(saliency, Tensor) else type(saliency).__name__
        raise TypeError(f"saliency must be a floating tensor, found {found}.")
    expected = (inputs.shape[0], *inputs.shape[2:])
    if tuple(saliency.shape) != expected:
        raise ValueError(
            f"saliency must be (B, *spatial) = {expected} for inputs of shape {tuple(inputs.shape)}, found "
            f"{tuple(saliency.shape)}. Reduce its channels, as `compute_saliency` does."
        )


def target_rows(targets: Tensor, batch_size: int, num_classes: int | None) -> Tensor:
    """Return targets as (B, K) float32 rows of class probabilities.

    Raises:
        ValueError: If the shape does not fit, `num_classes` is missing or disagrees, or rows do not sum to 1.
    """
    if num_classes is not None:
        check_count("num_classes", num_classes)
    if not isinstance(targets, Tensor):
        raise TypeError(f"targets must be a tensor, found {type(targets).__name__}. Name the right part of the batch.")
    if targets.shape[:1] != (batch_size,):
        raise ValueError(f"targets must have one row per input: found shape {tuple(targets.shape)} for {batch_size}.")
    if targets.ndim == 1 and not targets.is_floating_point() and not targets.is_complex():
        return _rows_of_integers(targets, num_classes)
    if targets.ndim != 2 or targets.is_complex():
        raise ValueError(
            f"targets must be (B,) integer or (B, K) class probabilities, found shape {tuple(targets.shape)} of "
            f"{targets.dtype}."
        )
    if num_classes is not None and targets.shape[1] != num_classes:
        raise ValueError(f"targets have {targets.shape[1]} classes, but num_classes is {num_classes}.")
    rows = targets.to(torch.float32)
    _check_rows(rows)
    return rows


def _rows_of_integers(targets: Tensor, num_classes: int | None) -> Tensor:
    if num_classes is None:
        raise ValueError(
            "num_classes must be given for integer targets: a batch need not hold every class. Pass num_classes=K."
        )
    lowest, highest = (int(bound) for bound in torch.aminmax(targets))
    if lowest < 0 or highest >= num_classes:
        raise ValueError(
            f"Integer targets must lie in [0, {num_classes}), found {lowest} to {highest}. Raise num_classes, or leave "
            "out samples without a class."
        )
    return one_hot_targets(targets, num_classes)


def _check_rows(rows: Tensor) -> None:
    sums = rows.sum(1)
    if not bool(((sums - 1).abs() <= _SUM_TOLERANCE).all()):  # NaN fails as well
        raise ValueError(
            f"Rows of soft targets must sum to 1, found sums from {sums.min():.4g} to {sums.max():.4g}. Normalise "
            "them; for targets that are no class probabilities use CoMixup(linear_targets=True)."
        )
