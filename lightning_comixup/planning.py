"""From saliency to mixing indices: groups, unary, prior, compatibility, labeling.

One small tensor goes to the host: the pooled saliency and its peaks, a number per cell and per dimension of each input,
and the outcome of a deferred check. One tensor comes back: two labels per cell of each output, and the inputs of which
it is made with their shares. Nothing else waits for the device.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.compatibility import compute_compatibility, locate_peaks
from lightning_comixup.method.energy import compute_unary
from lightning_comixup.method.grid import pool_to_grid, resolve_grid
from lightning_comixup.method.mixing import MixingIndices
from lightning_comixup.method.problem import Labeling, Problem, labeling_to_masks
from lightning_comixup.method.random import draw_prior, draw_starts
from lightning_comixup.solvers.dispatch import solve_groups
from lightning_comixup.validation import DeferredCheck


class NonFiniteSaliencyError(ValueError):
    """The saliency has NaN or infinite entries."""


class LabelingReport(NamedTuple):
    """A summary of a batch's labelings.

    Attributes:
        energy: Mean over the groups.
        over_capacity_share: Share of the outputs that use an input which the other outputs of their group use beyond
            the threshold τ: the price of these cells is more than their saliency. 0 nearly always.
        inputs_per_output: Mean number of inputs in a mixed sample.
    """

    energy: float
    over_capacity_share: float
    inputs_per_output: float


class SaliencySummary(NamedTuple):
    """The saliency of a batch as the labeling uses it, on the host."""

    pooled: NDArray[np.float64]  # (B, *grid) means over the cells
    peaks: NDArray[np.float64]  # (B, d)


class BatchPlan(NamedTuple):
    """The mixing indices of a batch, the labelings that they come from and a report."""

    indices: MixingIndices
    labelings: tuple[Labeling, ...]  # one per group, with as many outputs as inputs
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
) -> BatchPlan:
    """Decide which inputs each cell of each output is made of.

    Args:
        saliency: (B, *spatial), floating, not negative; its scale does not matter.
        parameters: The hyper-parameters.
        draws: Draws the grid if it is random, then the prior and the starts of each group.
        grid: Use this grid instead of `parameters.grid_size`.
        check: A check of the targets, on the saliency's device.

    Raises:
        NonFiniteSaliencyError: If the saliency has NaN or infinite entries.
        ValueError: If it is negative or the grid does not fit; and the error of `check`.
    """
    grid = grid or resolve_grid(parameters.grid_size, tuple(saliency.shape[1:]), draws)
    pooled, peaks = summarize_saliency(saliency.detach(), grid, parameters, check)
    groups = partition(len(saliency), parameters.partition_size)
    labelings = tuple(solve_groups([build_problem(pooled[g], peaks[g], parameters, draws) for g in groups]))
    labels = _stack_labels(labelings)
    counts = _count_labels(labels, groups[0].stop)
    indices = _send_indices(labels, counts, groups, saliency.device, grid)
    return BatchPlan(indices, labelings, _make_report(labelings, counts))


def partition(batch_size: int, partition_size: int) -> list[slice]:
    """Return the groups of a batch, in order; the last may be smaller."""
    return [slice(i, min(i + partition_size, batch_size)) for i in range(0, batch_size, partition_size)]


def summarize_saliency(
    saliency: Tensor, grid: tuple[int, ...], parameters: Hyperparameters, check: DeferredCheck | None = None
) -> SaliencySummary:
    """Return on the host the saliency pooled to the grid and its peaks, copied as one tensor.

    The same copy brings the outcome of `check`, whose error comes first.

    Raises:
        NonFiniteSaliencyError: If the saliency has NaN or infinite entries.
        ValueError: If it is negative; and the error of `check`.
    """
    wide = saliency.to(torch.promote_types(saliency.dtype, torch.float32))
    pooled = pool_to_grid(wide, grid)
    peaks = locate_peaks(wide, parameters.compatibility_window, parameters.compatibility_stride)
    parts = [pooled, peaks] if check is None else [pooled, peaks, check.passed]
    packed = torch.cat([part.to(wide.dtype).reshape(-1) for part in parts]).cpu().numpy().astype(np.float64)
    if check is not None and packed[-1] == 0:
        check.raise_error()
    values = packed[: pooled.numel()].reshape(pooled.shape)
    _check_values(values)
    return SaliencySummary(values, packed[pooled.numel() :][: peaks.numel()].reshape(peaks.shape))


def _check_values(pooled: NDArray[np.float64]) -> None:
    if not np.isfinite(pooled).all():
        found = int((~np.isfinite(pooled)).reshape(len(pooled), -1).any(1).sum())
        raise NonFiniteSaliencyError(
            f"saliency must be finite, found NaN, infinity or sums that overflow in {found} of {len(pooled)} maps. The "
            "module or its inputs have non-finite values; find them with torch.autograd.set_detect_anomaly, or leave "
            'such batches unmixed with CoMixup(on_nonfinite="skip").'
        )
    if pooled.min() < 0:
        raise ValueError(f"saliency must not be negative, found a cell of mean {pooled.min():.3g}. Take its magnitude.")


def build_problem(
    pooled: NDArray[np.float64],
    peaks: NDArray[np.float64],
    parameters: Hyperparameters,
    draws: np.random.Generator,
) -> Problem:
    """Build the problem of one group, drawing its prior and its starts.

    Args:
        pooled: (N, *grid) means of the saliency over the cells.
        peaks: (N, d) positions of the peaks.
        parameters: The hyper-parameters.
        draws: Draws the prior, then the starts.
    """
    inputs, grid = pooled.shape[0], pooled.shape[1:]
    prior = draw_prior(draws, inputs, parameters.alpha)
    starts = draw_starts(draws, parameters.restarts, inputs, grid)
    compatibility = compute_compatibility(peaks, parameters.compatibility_weight)
    return Problem(compute_unary(pooled), compatibility, prior, starts, parameters)


def _stack_labels(labelings: tuple[Labeling, ...]) -> NDArray[np.int32]:
    """Return both labels of each cell, as inputs of the output's group: (B, 2 * cells), all first labels in front."""
    parts = [[labeling.first, labeling.second] for labeling in labelings]
    return np.concatenate([np.concatenate([side.reshape(len(side), -1) for side in part], axis=1) for part in parts])


def _count_labels(labels: NDArray[np.int32], width: int) -> NDArray[np.int64]:
    """Return how often each output has each of the (at most `width`) inputs of its group as a label: (B, width)."""
    outputs = len(labels)
    flat = (labels + width * np.arange(outputs)[:, None]).ravel()
    return np.bincount(flat, minlength=outputs * width).reshape(outputs, width)


def _send_indices(
    labels: NDArray[np.int32],
    counts: NDArray[np.int64],
    groups: list[slice],
    device: torch.device,
    grid: tuple[int, ...],
) -> MixingIndices:
    """Send labels, counts and the inputs counted to the device as one integer tensor, and split it there."""
    batch, per_output = labels.shape
    start = np.repeat([group.start for group in groups], [group.stop - group.start for group in groups])[:, None]
    # As many inputs as the output with the most has, by use. Other outputs are padded with inputs that they do not use,
    # in a smaller last group also with those of other groups, so that no input comes twice.
    most = int((counts > 0).sum(1).max())
    used = np.argsort(-counts, axis=1, kind="stable")[:, :most]
    packed = np.concatenate([labels + start, np.take_along_axis(counts, used, 1), (start + used) % batch], axis=1)
    sent = torch.from_numpy(packed).to(device)
    first, second = sent[:, :per_output].view(batch, 2, *grid).unbind(1)
    shares = sent[:, per_output : per_output + most].to(torch.float32) / per_output
    has_halves = bool((labels[:, : per_output // 2] != labels[:, per_output // 2 :]).any())
    return MixingIndices(first, second, sent[:, per_output + most :], shares, has_halves)


def _make_report(labelings: tuple[Labeling, ...], counts: NDArray[np.int64]) -> LabelingReport:
    return LabelingReport(
        energy=float(np.mean([labeling.energy for labeling in labelings])),
        over_capacity_share=sum(labeling.over_capacity for labeling in labelings) / len(counts),
        inputs_per_output=float((counts > 0).sum(1).mean()),
    )
