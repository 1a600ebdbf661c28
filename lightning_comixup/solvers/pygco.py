"""Solver "pygco": the authors' labeling with their graph cuts, for parity with their results.

It differs from the solver "descent" as follows, each time like the authors' code. The cuts are α-β-swaps on costs
truncated to integers. The pairwise costs of half labels are ¼, 1 and 1, which is not a metric and therefore requires
swaps. The sweeps stop on an energy without threshold and compatibility. Each start returns its last labeling, not its
best. All numbers are float32.

The package `gco` bundles the GCO library, licensed for "research purposes only". Importing it adds `int` and `float` to
the numpy module, so it is imported only when this solver runs.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_comixup.method.energy import add_prior, count_over_capacity, labeling_energy
from lightning_comixup.method.grid import neighbouring_cells
from lightning_comixup.method.problem import ENERGY_TOLERANCE, HALF_LABEL_BONUS, Labeling, Problem, labeling_to_masks

Floats = NDArray[np.float32]

# The pairwise cost between a half label and either of its inputs. All others cost 1 (the authors' table).
_HALF_TO_CONSTITUENT = 0.25
# The pairs among three used inputs, in the authors' order. With two inputs only the first pair applies.
_PAIRS = np.array([[0, 1], [0, 2], [1, 2]])


def _backend() -> ModuleType:
    try:
        import gco
    except ImportError as error:
        raise ImportError(
            'solver="pygco" needs the package gco-wrapper, which is not installed. Run `pip install '
            '"lightning-comixup[pygco]"` (it has no wheels for Python 3.12 and later), or use solver="descent".'
        ) from error
    return gco


@cache
def _edges(grid: tuple[int, ...]) -> NDArray[np.int32]:
    """Return the edges (first cell, second cell), axis by axis."""
    neighbours = neighbouring_cells(grid)
    cells = np.arange(neighbours.shape[0], dtype=np.int32)
    pairs = [np.stack([cells, neighbours[:, axis]])[:, neighbours[:, axis] >= 0] for axis in range(1, 2 * len(grid), 2)]
    return np.concatenate(pairs, axis=1)


def _cut(cost: Floats, pairwise: Floats, smoothness: float, grid: tuple[int, ...]) -> NDArray[np.int32]:
    """Return the labels that α-β-swaps find for costs (cells, labels)."""
    start, end = _edges(grid)
    if start.size == 0:
        return cost.argmin(1).astype(np.int32)
    graph = _backend().GCO()
    graph.create_general_graph(*cost.shape, True)
    try:
        graph.set_data_cost(np.ascontiguousarray(cost))
        graph.set_all_neighbors(start, end, np.full(start.size, smoothness, np.float32))
        graph.set_smooth_cost(pairwise)
        graph.swap()
        labels: NDArray[np.int32] = graph.get_labels()
    finally:
        graph.destroy_graph()
    return labels


def _half_label_pairs(counts: Floats) -> NDArray[np.int64]:
    """Return the pairs of inputs whose half labels are offered: those of the (up to) three most used inputs."""
    used = np.flatnonzero(counts > 0)
    if used.size < 2:
        return np.empty((0, 2), np.int64)
    if used.size == 2:
        return used[_PAIRS[:1]]
    # topk breaks ties between equally used inputs as in the authors' code. The chosen inputs are then in index order.
    top = torch.topk(torch.from_numpy(counts), k=3).indices.sort().values.numpy()
    return np.asarray(top[_PAIRS])


def _with_halves(cost: Floats, pairs: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Append the half labels to costs (cells, inputs); return costs and pairwise costs."""
    inputs = cost.shape[1]
    halves: Floats = (cost[:, pairs[:, 0]] + cost[:, pairs[:, 1]]) * np.float32(0.5) - np.float32(HALF_LABEL_BONUS)
    labels = inputs + len(pairs)
    pairwise = 1 - np.eye(labels, dtype=np.float32)
    for half, pair in enumerate(pairs):
        pairwise[inputs + half, pair] = pairwise[pair, inputs + half] = _HALF_TO_CONSTITUENT
    return np.concatenate([cost, halves], axis=1), pairwise


def _modular_penalty(others: Floats, problem: Problem, cells: int) -> Floats:
    """Return 2γ/S · φ(p)."""
    parameters = problem.hyperparameters
    matrix = problem.compatibility.astype(np.float32, copy=False)
    threshold = np.float32(parameters.penalty_threshold * cells)
    load = matrix @ others
    over = (load > threshold).astype(np.float32)
    penalty = over * (load - threshold) if parameters.thresholding == "soft" else (over * matrix) @ others
    return np.asarray(np.float32(2 * parameters.diversity / cells) * penalty, np.float32)


def _separating_cost(counts: Floats) -> Floats:
    """Return 1 where an output should drop an input: a different one for each of two outputs with the same inputs."""
    extra = np.zeros_like(counts)
    used = counts > 0
    for output, own in enumerate(used):
        for other in range(output + 1, len(used)):
            if own.sum() >= 2 and (own == used[other]).all():
                first, second = np.flatnonzero(own)[:2]
                extra[output, first] = extra[other, second] = 1
    return extra


def _stopping_energy(masks: Floats, cost: Floats, smoothness: float, diversity: float) -> np.float32:
    """Return Σ unary·z + β/2 Σ‖Δz‖² + γ (Σ_i (Σ_j c_ji)² - Σ_ji c_ji²): the authors' stopping energy."""
    counts = masks.reshape(*masks.shape[:2], -1).sum(2)
    edges = sum((np.diff(masks, axis=axis) ** 2).sum() for axis in range(2, masks.ndim))
    overlap = (counts.sum(0) ** 2).sum() - (counts**2).sum()
    return np.float32((masks * cost).sum() + smoothness / 2 * edges + diversity * overlap)


def _solve_output(
    pair: NDArray[np.int32], cost: Floats, pairs: NDArray[np.int64], smoothness: float, grid: tuple[int, ...]
) -> None:
    """Cut the grid for one output; write its two inputs per cell into `pair` (2, cells)."""
    inputs = cost.shape[1]
    labels = _cut(*_with_halves(cost, pairs), smoothness, grid)
    table = np.concatenate([np.stack([np.arange(inputs)] * 2, axis=1), pairs])
    pair[:] = table[labels].T


def _counts(pair: NDArray[np.int32], inputs: int) -> Floats:
    return np.bincount(pair.ravel(), minlength=inputs).astype(np.float32) * np.float32(0.5)


def _descend(start: NDArray[np.int32], problem: Problem) -> Labeling:
    """Sweep from one start as the authors do; return the last labeling."""
    parameters = problem.hyperparameters
    inputs, grid = problem.unary.shape[0], problem.unary.shape[1:]
    cells = int(np.prod(grid))
    smoothness, diversity = parameters.smoothness / cells, parameters.diversity / cells
    unary = add_prior(problem.unary.astype(np.float32), problem.prior.astype(np.float32), parameters.prior_weight)
    flat = np.ascontiguousarray(unary.reshape(inputs, cells).T)
    pairs = np.stack([start.reshape(-1, cells)] * 2, axis=1).astype(np.int32)
    counts = np.stack([_counts(pair, inputs) for pair in pairs])
    extra = np.zeros_like(counts)

    def labeling() -> Labeling:
        shape = (len(pairs), *grid)
        return Labeling(pairs[:, 0].reshape(shape), pairs[:, 1].reshape(shape), 0.0, 0)

    previous = _stopping_energy(labeling_to_masks(labeling(), inputs), unary, smoothness, diversity)
    for sweep in range(parameters.sweeps):
        for output in range(len(pairs)):
            others = counts.sum(0) - counts[output]
            added = _modular_penalty(others, problem, cells) + np.float32(diversity) * extra[output]
            halves = _half_label_pairs(counts[output] if sweep > 0 else np.zeros_like(others))
            _solve_output(pairs[output], flat + added, halves, smoothness, grid)
            counts[output] = _counts(pairs[output], inputs)
        if parameters.resolve_duplicates and sweep == parameters.sweeps - 2:
            extra = _separating_cost(counts)
        reached = _stopping_energy(labeling_to_masks(labeling(), inputs), unary, smoothness, diversity)
        if abs(previous - reached) < ENERGY_TOLERANCE * abs(reached):
            break
        previous = reached
    return labeling()


def solve(problem: Problem) -> Labeling:
    """Label one group from each start as the authors do; keep the labeling of lowest `energy`.

    Raises:
        ImportError: If gco is not installed.
    """
    labelings = [_descend(start, problem) for start in problem.starts.astype(np.int32)]
    energies = [labeling_energy(labeling, problem) for labeling in labelings]
    best = int(np.argmin(energies))
    over_capacity = count_over_capacity(labelings[best], problem)
    return labelings[best]._replace(energy=energies[best], over_capacity=over_capacity)
