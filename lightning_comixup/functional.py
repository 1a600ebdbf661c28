"""Co-Mixup of a batch as a function: plain PyTorch, no Trainer needed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_comixup.draws import GeneratorLike, as_generator
from lightning_comixup.hyperparameters import make_hyperparameters
from lightning_comixup.mixing import mix_inputs, mix_targets
from lightning_comixup.plan import plan_batch
from lightning_comixup.saliency import check_inputs
from lightning_comixup.targets import target_rows
from lightning_comixup.tensor_checks import FLOATING, check_dense, check_device


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
        TypeError: If a tensor has the wrong dtype or is sparse, or a hyper-parameter is unknown.
        ValueError: If shapes or devices do not fit, values are out of range or the saliency is not finite.
    """
    parameters = make_hyperparameters(hyperparameters)
    check_inputs(inputs)
    check_saliency(saliency, inputs)
    rows, verdict = target_rows(targets, len(inputs), num_classes)
    check_device("targets", targets, inputs)
    plan = plan_batch(saliency, parameters, as_generator(generator), verdict=verdict)
    with torch.no_grad():
        mixed = mix_inputs(inputs, plan.mixing)
        soft_targets = mix_targets(rows, plan.mixing)
    return MixedBatch(mixed, soft_targets, plan.mixing.mixing_weights, plan.masks)


def check_saliency(saliency: Tensor, inputs: Tensor) -> None:
    """Check that a saliency belongs to the inputs.

    Raises:
        TypeError: If it is no dense floating tensor.
        ValueError: If its shape is not (B, *spatial), or it is on another device.
    """
    if not isinstance(saliency, Tensor) or saliency.dtype not in FLOATING:
        found = saliency.dtype if isinstance(saliency, Tensor) else type(saliency).__name__
        raise TypeError(f"saliency must be a floating tensor, of 16 bits or more, found {found}. Convert it.")
    check_dense("saliency", saliency)
    check_device("saliency", saliency, inputs)
    expected = (inputs.shape[0], *inputs.shape[2:])
    if tuple(saliency.shape) != expected:
        raise ValueError(
            f"saliency must be (B, *spatial) = {expected} for inputs of shape {tuple(inputs.shape)}, found "
            f"{tuple(saliency.shape)}. Reduce its channels, as `compute_saliency` does."
        )
