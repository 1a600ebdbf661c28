"""From saliency to mixing indices: groups, unary, prior, compatibility, labeling.

One small tensor goes to the host: the pooled saliency (a number per cell of each input), the position of each input's
peak, and the numbers of a deferred check. One tensor comes back: two labels per cell of each output, and the inputs
that each output consists of, with their shares. Nothing else waits for the device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.compatibility import compute_compatibility, locate_peaks
from lightning_comixup.method.energy import compute_unary
from lightning_comixup.method.grid import pool_to_grid, resolve_grid
from lightning_comixup.method.groups import Groups, all_groups, partition
from lightning_comixup.method.mixing import MixingIndices
from lightning_comixup.method.problem import Labeling, Problem, labeling_to_masks
from lightning_comixup.method.random import draw_prior, draw_starts
from lightning_comixup.method.transfer import copy_to_device, copy_to_host
from lightning_comixup.solvers.dispatch import solve_groups
from lightning_comixup.validation import DeferredCheck, widen


class NonFiniteSaliencyError(ValueError):
    """The saliency has NaN or infinite entries."""


class LabelingReport(NamedTuple):
    """A summary of a batch's labelings.

    Attributes:
        energy: Mean over the groups that are mixed.
        over_capacity_share: Share of the outputs with an input that the other outputs of their group use beyond the
            threshold τ, so that its cells cost more than their saliency is worth. Nearly always 0.
        inputs_per_output: Mean number of inputs in a mixed sample.
    """

    energy: float
    over_capacity_share: float
    inputs_per_output: float


class SaliencySummary(NamedTuple):
    """The saliency of a batch in the form that the labeling uses, on the host."""

    pooled: NDArray[np.float64]  # (B, *grid) means over the cells
    peaks: NDArray[np.int64]  # (B, d)


class BatchPlan(NamedTuple):
    """The mixing indices of a batch, the labelings they come from, and a report."""

    indices: MixingIndices
    labelings: tuple[Labeling, ...]  # one per group, with as many outputs as inputs; energy NaN if the group is unmixed
    report: LabelingReport

    def masks(self) -> tuple[NDArray[np.float32], ...]:
        """Return the masks, one (M, N, *grid) per group."""
        return tuple(labeling_to_masks(labeling, len(labeling.first)) for labeling in self.labelings)


def plan_batch(
    saliency: Tensor,
    parameters: Hyperparameters,
    draws: np.random.Generator,
    grid: tuple[int, ...] | None = None,
    check: DeferredCheck | None = None,
    groups: Groups | None = None,
) -> BatchPlan:
    """Decide which inputs each cell of each output comes from.

    Args:
        saliency: (S, *spatial), floating-point and non-negative, for the S inputs in the groups to mix. Its scale does
            not matter.
        parameters: The hyper-parameters.
        draws: Draws the grid if it is random, then the prior and the starts of each group.
        grid: The grid to use instead of `parameters.grid_size`.
        check: A check of the targets, on the saliency's device.
        groups: The groups of the batch, of which at least one is mixed. The outputs of an unmixed group are its inputs.
            If None, all groups are mixed.

    Raises:
        NonFiniteSaliencyError: If the saliency has NaN or infinite entries.
        ValueError: If the saliency is negative or the grid does not fit. `check` may also raise its own error.
    """
    grid = grid or resolve_grid(parameters.grid_size, tuple(saliency.shape[1:]), lambda: draws)
    summary = summarize_saliency(saliency.detach(), grid, parameters, check)
    solved = solve_groups(build_problems(summary, parameters, draws))
    groups = groups or all_groups(len(saliency), parameters.partition_size)
    labelings = _with_unmixed(solved, groups, grid)
    labels = _stack_labels(labelings, grid)
    counts = _count_labels(labels, min(parameters.partition_size, groups.batch_size))
    indices = _send_indices(labels, counts, parameters.partition_size, saliency.device)
    return BatchPlan(
        indices, labelings, _make_report(solved, np.concatenate([counts[rows] for rows in groups.mixed_slices()]))
    )


def _with_unmixed(solved: Sequence[Labeling], groups: Groups, grid: tuple[int, ...]) -> tuple[Labeling, ...]:
    """Return the labelings of all groups. In an unmixed group each output is its own input."""
    if groups.are_all_mixed():
        return tuple(solved)
    mixed = dict(zip(groups.mixed, solved, strict=True))
    slices = partition(groups.batch_size, groups.partition_size)
    return tuple(mixed.get(index) or _unmixed(rows.stop - rows.start, grid) for index, rows in enumerate(slices))


def _unmixed(size: int, grid: tuple[int, ...]) -> Labeling:
    own = np.broadcast_to(np.arange(size, dtype=np.int32).reshape(-1, *[1] * len(grid)), (size, *grid))
    return Labeling(own, own, math.nan, 0)


def summarize_saliency(
    saliency: Tensor, grid: tuple[int, ...], parameters: Hyperparameters, check: DeferredCheck | None = None
) -> SaliencySummary:
    """Copy the saliency pooled to the grid, and its peaks, to the host as one tensor.

    The numbers of `check` come with the same copy, and its error takes precedence.

    Raises:
        NonFiniteSaliencyError: If the saliency has NaN or infinite entries.
        ValueError: If the saliency is negative. `check` may also raise its own error.
    """
    wide = widen(saliency)
    pooled = pool_to_grid(wide, grid)
    peaks, shape = locate_peaks(wide, parameters.compatibility_window, parameters.compatibility_stride)
    values, places, *numbers = copy_to_host([pooled, peaks, *(() if check is None else check.numbers)])
    if check is not None:
        check.check(*numbers)
    _check_values(values)
    return SaliencySummary(values.astype(np.float64), np.array(np.unravel_index(places, shape)).T)


def _check_values(pooled: NDArray[np.floating[Any]]) -> None:
    if pooled.min() >= 0 and pooled.max() < np.inf:
        return
    if not np.isfinite(pooled).all():
        found = int((~np.isfinite(pooled)).reshape(len(pooled), -1).any(1).sum())
        raise NonFiniteSaliencyError(
            f"saliency must be finite, found NaN, infinity or sums that overflow in {found} of {len(pooled)} maps. The "
            "module or its inputs have non-finite values; find them with torch.autograd.set_detect_anomaly, or leave "
            'such batches unmixed with CoMixup(on_nonfinite="skip").'
        )
    raise ValueError(f"saliency must not be negative, found a cell of mean {pooled.min():.3g}. Take its magnitude.")


def build_problems(summary: SaliencySummary, parameters: Hyperparameters, draws: np.random.Generator) -> list[Problem]:
    """Build the problem of each group.

    Args:
        summary: The saliency of the whole batch.
        parameters: The hyper-parameters.
        draws: Draws the prior and the starts of each group, one group after the other.
    """
    unary, grid = compute_unary(summary.pooled), summary.pooled.shape[1:]
    size = min(parameters.partition_size, len(unary))
    # All groups of equal size are handled together, and a smaller last group by itself.
    equal = len(unary) // size * size
    peaks = [summary.peaks[:equal].reshape(-1, size, len(grid)), summary.peaks[None, equal:]]
    weight = parameters.compatibility_weight
    matrices = [matrix for part in peaks if part.size for matrix in compute_compatibility(part, weight)]
    problems = []
    for group, compatibility in zip(partition(len(unary), size), matrices, strict=True):
        prior = draw_prior(draws, len(compatibility), parameters.alpha)
        starts = draw_starts(draws, parameters.restarts, len(compatibility), grid)
        problems.append(Problem(unary[group], compatibility, prior, starts, parameters))
    return problems


def _stack_labels(labelings: tuple[Labeling, ...], grid: tuple[int, ...]) -> NDArray[np.int64]:
    """Return both labels of each cell, as inputs of the output's group: (2, B, *grid)."""
    labels = np.empty((2, sum(len(labeling.first) for labeling in labelings), *grid), np.int64)
    np.concatenate([labeling.first for labeling in labelings], out=labels[0])
    np.concatenate([labeling.second for labeling in labelings], out=labels[1])
    return labels


def _count_labels(labels: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Return how often each of the (at most `width`) inputs of its group is a label of each output: (B, width)."""
    outputs = labels.shape[1]
    flat = labels.reshape(2, outputs, -1) + width * np.arange(outputs)[:, None]
    return np.bincount(flat.ravel(), minlength=outputs * width).reshape(outputs, width)


def _send_indices(
    labels: NDArray[np.int64], counts: NDArray[np.int64], partition_size: int, device: torch.device
) -> MixingIndices:
    """Send labels, and the inputs of each output with their shares, to the device.

    This changes `labels` in place, from indices within the group to indices within the batch.
    """
    batch, width = counts.shape
    start = np.arange(batch) // partition_size * partition_size
    # Every row has as many inputs as the output with the most, starting with the most used. Other outputs are padded
    # with inputs that they do not use. In a smaller last group these may come from other groups, so that none repeats.
    most = int((counts > 0).sum(1).max())
    # Each count and its input are packed into one number. Sorting these takes half as long as an argsort of the counts.
    negated, used = np.divmod(np.sort(np.arange(width) - width * counts, axis=1)[:, :most], width)
    shares = (-negated).astype(np.float32) / np.float32(2 * labels[0, 0].size)
    labels += start.reshape(-1, *(1,) * (labels.ndim - 2))
    has_halves = bool((labels[0] != labels[1]).any())
    sent, sources, weights = copy_to_device([labels, (start[:, None] + used) % batch, shares], device)
    return MixingIndices(sent, sources, weights, has_halves)


def _make_report(labelings: Sequence[Labeling], counts: NDArray[np.int64]) -> LabelingReport:
    """Summarise the labelings of the mixed groups, given how often each input is a label of each of their outputs."""
    return LabelingReport(
        energy=sum(labeling.energy for labeling in labelings) / len(labelings),
        over_capacity_share=sum(labeling.over_capacity for labeling in labelings) / len(counts),
        inputs_per_output=float(np.count_nonzero(counts) / len(counts)),
    )
