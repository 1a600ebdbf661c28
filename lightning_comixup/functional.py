"""Co-Mixup as functions, for a batch in plain PyTorch and for a group in NumPy. No Trainer is needed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_comixup.hyperparameters import make_hyperparameters
from lightning_comixup.method.mixing import mix_inputs, mix_targets
from lightning_comixup.method.problem import Problem, as_numbers, check_shapes, labeling_to_masks
from lightning_comixup.method.random import GeneratorLike, as_generator, draw_prior, draw_starts
from lightning_comixup.planning import plan_batch
from lightning_comixup.soft_targets.targets import flatten_labels, target_rows
from lightning_comixup.solvers.dispatch import solve_groups
from lightning_comixup.validation import (
    check_class_targets,
    check_count,
    check_device,
    check_inputs,
    check_rows,
    check_saliency,
)


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
        inputs: (B, C, *spatial), floating-point, with one or more spatial dimensions. They are left unchanged.
        targets: (B,) or (B, 1) integer, or (B, K) floating-point rows that sum to 1 (one-hot or soft).
        saliency: (B, *spatial), non-negative and finite; see `compute_saliency`.
        num_classes: The number of classes K, required for integer targets.
        generator: The source of random numbers: a generator, a seed or None, see `GeneratorLike`.
        **hyperparameters: As for `CoMixup`.

    Returns:
        The mixed batch, detached from the graph. A single sample is returned unmixed. NaN in the inputs stays NaN.

    Raises:
        TypeError: If inputs or saliency are not floating-point tensors, targets are not a tensor, `generator` or a
            hyper-parameter has the wrong type, or the name of a hyper-parameter is unknown.
        ValueError: If shapes or devices do not fit, targets are neither classes nor class probabilities, the saliency
            is negative or not finite, or a value is out of range.
    """
    parameters = make_hyperparameters(hyperparameters)
    targets = flatten_labels(targets)
    _check_batch(inputs, targets, saliency, num_classes)
    rows, check = target_rows(targets, num_classes)
    plan = plan_batch(saliency, parameters, as_generator(generator), check=check)
    with torch.no_grad():
        mixed, mixed_targets = mix_inputs(inputs, plan.indices), mix_targets(rows, plan.indices)
        return MixedBatch(mixed, mixed_targets, plan.indices.mixing_weights, plan.masks())


def optimize_masks(
    unary: NDArray[np.floating[Any]],
    compatibility: NDArray[np.floating[Any]],
    *,
    prior: NDArray[np.floating[Any]] | None = None,
    initial_labeling: NDArray[np.integer[Any]] | None = None,
    generator: GeneratorLike = None,
    **hyperparameters: Any,
) -> NDArray[np.float32]:
    """Find the mixing masks of one group of inputs: minimise `energy` over masks with values 0, ½ and 1.

    Starting from a labeling, the outputs are solved in turn. Each time, the other outputs stay fixed and the modular
    bound replaces the diversity term (algorithm 1 of the paper). The solver "descent" adds a local search on the energy
    itself.

    Args:
        unary: (N, *grid) data cost, without the prior.
        compatibility: (N, N) compatibility matrix A.
        prior: (N,) the Dirichlet draw. If None, it is drawn here.
        initial_labeling: (M, *grid) input indices, the only start (though "descent" may shift it by one cell and start
            again). If None, `restarts` starts are drawn, with M = N.
        generator: The source of random numbers: a generator, a seed or None, see `GeneratorLike`.
        **hyperparameters: As for `CoMixup`, including `solver`. Those of earlier steps, such as `grid_size`, have no
            effect.

    Returns:
        (M, N, *grid) float32 masks, summing to 1 over the inputs.

    Raises:
        ValueError: If shapes do not fit, values are not finite or so large that energies overflow, the prior is
            negative, or an index, the seed or a hyper-parameter is out of range.
        TypeError: If an array does not consist of real numbers, the labeling is not integer, or the generator or a
            hyper-parameter has the wrong type or name.
        ImportError: If the solver's backend is not installed.
    """
    parameters = make_hyperparameters(hyperparameters)
    unary, compatibility = as_numbers("unary", unary), as_numbers("compatibility", compatibility)
    prior = None if prior is None else as_numbers("prior", prior)
    labeling = None if initial_labeling is None else as_numbers("initial_labeling", initial_labeling)
    check_shapes(unary, compatibility, prior, labeling)
    starts = None if labeling is None else labeling[None]
    if prior is None or starts is None or generator is not None:
        draws = as_generator(generator)
        prior = draw_prior(draws, unary.shape[0], parameters.alpha) if prior is None else prior
        starts = draw_starts(draws, parameters.restarts, unary.shape[0], unary.shape[1:]) if starts is None else starts
    problem = Problem(unary, compatibility, prior, starts, parameters)
    return labeling_to_masks(solve_groups([problem])[0], unary.shape[0])


def _check_batch(inputs: Tensor, targets: Tensor, saliency: Tensor, num_classes: int | None) -> None:
    check_inputs(inputs)
    check_saliency(saliency, inputs)
    if num_classes is not None:
        check_count("num_classes", num_classes, advice="Give the number of classes K.")
    check_rows("targets", targets, len(inputs))
    check_class_targets(targets)
    check_device("targets", targets, inputs)
    check_device("saliency", saliency, inputs)
