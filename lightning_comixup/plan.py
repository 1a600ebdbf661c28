"""From saliency to mixing plan: partition, unary, prior, compatibility, labeling.

One small tensor goes to the host (pooled saliency, peaks, the verdict on the targets: a number per cell and dimension
of each input, and one) and one comes back (two labels per cell of each output, and the inputs it is made of with their
shares); nothing else waits for the device.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_comixup.compatibility import compatibility_of, locate_peaks
from lightning_comixup.draws import draw_prior, draw_starts
from lightning_comixup.grid import pool_to_grid, resolve_grid
from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.labeling import solve_groups
from lightning_comixup.mixing import MixingPlan
from lightning_comixup.problem import Labeling, Problem, masks_of
from lightning_comixup.unary import unary_of
from lightning_comixup.verdict import Verdict


class NonFiniteSaliencyError(ValueError):
    """The saliency has NaN or infinite entries."""


class LabelingReport(NamedTuple):
    """What the solver found for a batch."""

    energy: float  # mean over the groups
    proven: int  # subproblems solved to proven optimality
    subproblems: int
    inputs_per_output: float  # mean number of inputs in a mixed sample


class SaliencyDescription(NamedTuple):
    """What the labeling is told of the saliency of a batch."""

    pooled: NDArray[np.float64]  # (B, *grid) means over the cells
    peaks: NDArray[np.float64]  # (B, d)


class Plan(NamedTuple):
    """The mixing plan of a batch, the labelings behind it and the solver's report."""

    mixing: MixingPlan
    labelings: tuple[Labeling, ...]  # one per group, of as many outputs as inputs
    report: LabelingReport

    def masks(self) -> tuple[NDArray[np.float32], ...]:
        """Return the masks, one (M, N, *grid) per group."""
        return tuple(masks_of(labeling, len(labeling.first)) for labeling in self.labelings)


def partition(batch_size: int, partition_size: int) -> list[slice]:
    """Return the groups of a batch, in order; the last may be smaller."""
    return [slice(i, min(i + partition_size, batch_size)) for i in range(0, batch_size, partition_size)]


def plan_batch(
    saliency: Tensor,
    parameters: Hyperparameters,
    draws: np.random.Generator,
    grid: tuple[int, ...] | None = None,
    verdict: Verdict | None = None,
) -> Plan:
    """Decide which inputs each cell of each output takes.

    Args:
        saliency: (B, *spatial), floating, not negative; its scale does not matter.
        parameters: The hyper-parameters.
        draws: Draws the grid if it is random, then for each group the prior and the starts.
        grid: Use this grid instead of `parameters.grid_size`.
        verdict: A check of what is mixed, on the saliency's device.

    Raises:
        NonFiniteSaliencyError: If the saliency has NaN or infinite entries.
        ValueError: If it is negative, the grid does not fit, or what the verdict raises.
    """
    grid = grid or resolve_grid(parameters.grid_size, tuple(saliency.shape[1:]), draws)
    pooled, peaks = describe_saliency(saliency.detach(), grid, parameters, verdict)
    groups = partition(len(saliency), parameters.partition_size)
    labelings = tuple(solve_groups([state_problem(pooled[g], peaks[g], parameters, draws) for g in groups]))
    sides = _both_sides(labelings)
    halves = _count_halves(sides, groups[0].stop)
    return Plan(_to_device(sides, halves, groups, saliency.device, grid), labelings, _report(labelings, halves))


def describe_saliency(
    saliency: Tensor, grid: tuple[int, ...], parameters: Hyperparameters, verdict: Verdict | None = None
) -> SaliencyDescription:
    """Return on the host the saliency pooled to the grid and its peaks, copied as one tensor.

    The same copy brings the verdict, which is raised first if it is bad.
    """
    wide = saliency.to(torch.promote_types(saliency.dtype, torch.float32))
    pooled = pool_to_grid(wide, grid)
    peaks = locate_peaks(wide, parameters.compatibility_window, parameters.compatibility_stride)
    parts = [pooled, peaks] if verdict is None else [pooled, peaks, verdict.passed]
    packed = torch.cat([part.to(wide.dtype).reshape(-1) for part in parts]).cpu().numpy().astype(np.float64)
    if verdict is not None and packed[-1] == 0:
        verdict.refuse()
    values = packed[: pooled.numel()].reshape(pooled.shape)
    _check_values(values)
    return SaliencyDescription(values, packed[pooled.numel() :][: peaks.numel()].reshape(peaks.shape))


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


def state_problem(
    pooled: NDArray[np.float64],
    peaks: NDArray[np.float64],
    parameters: Hyperparameters,
    draws: np.random.Generator,
) -> Problem:
    """State the problem of one group, drawing its prior and its starts."""
    inputs, grid = pooled.shape[0], pooled.shape[1:]
    prior = draw_prior(draws, inputs, parameters.alpha)
    starts = draw_starts(draws, parameters.restarts, inputs, grid)
    compatibility = compatibility_of(peaks, parameters.compatibility_weight)
    return Problem(unary_of(pooled), compatibility, prior, starts, parameters)


def _both_sides(labelings: tuple[Labeling, ...]) -> NDArray[np.int32]:
    """Return both labels of each cell, as inputs of the output's group: (B, 2 * cells), the first ones first."""
    parts = [[labeling.first, labeling.second] for labeling in labelings]
    return np.concatenate([np.concatenate([side.reshape(len(side), -1) for side in part], axis=1) for part in parts])


def _count_halves(sides: NDArray[np.int32], width: int) -> NDArray[np.int64]:
    """Return how many half cells each output takes of each input of its group, `width` or fewer: (B, width)."""
    outputs = len(sides)
    flat = (sides + width * np.arange(outputs)[:, None]).ravel()
    return np.bincount(flat, minlength=outputs * width).reshape(outputs, width)


def _to_device(
    sides: NDArray[np.int32],
    halves: NDArray[np.int64],
    groups: list[slice],
    device: torch.device,
    grid: tuple[int, ...],
) -> MixingPlan:
    """Send labels, halves and the inputs that these count to the device as one integer tensor; spread it there."""
    batch, both = sides.shape
    start = np.repeat([group.start for group in groups], [group.stop - group.start for group in groups])[:, None]
    # As many inputs as the most mixed output has, most used first: other outputs fill up with inputs that they use none
    # of, of a smaller last group also with those of others, so that none comes twice.
    most = int((halves > 0).sum(1).max())
    used = np.argsort(-halves, axis=1, kind="stable")[:, :most]
    packed = np.concatenate([sides + start, np.take_along_axis(halves, used, 1), (start + used) % batch], axis=1)
    sent = torch.from_numpy(packed).to(device)
    first, second = sent[:, :both].view(batch, 2, *grid).unbind(1)
    shares = sent[:, both : both + most].to(torch.float32) / both
    has_halves = bool((sides[:, : both // 2] != sides[:, both // 2 :]).any())
    return MixingPlan(first, second, sent[:, both + most :], shares, has_halves)


def _report(labelings: tuple[Labeling, ...], halves: NDArray[np.int64]) -> LabelingReport:
    return LabelingReport(
        energy=float(np.mean([labeling.energy for labeling in labelings])),
        proven=sum(labeling.proven for labeling in labelings),
        subproblems=sum(labeling.subproblems for labeling in labelings),
        inputs_per_output=float((halves > 0).sum(1).mean()),
    )
