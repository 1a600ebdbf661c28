"""Solver "descent": sweeps that solve each output while the others stay fixed, and a local search on the energy.

The problem for one group is to minimise `lightning_comixup.energy` over the masks with values 0, ½ and 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.method.grid import neighbouring_cells
from lightning_comixup.method.problem import Labeling, Problem, check_values
from lightning_comixup.solvers import arrays as at
from lightning_comixup.solvers.arrays import Floats, Integers
from lightning_comixup.solvers.cheapest_label import solve_output
from lightning_comixup.solvers.compiled import kernel
from lightning_comixup.solvers.diversity import count_output, exceeds_capacity
from lightning_comixup.solvers.duplicates import clear_extra, separate_duplicates
from lightning_comixup.solvers.entry_point import EntryPoint
from lightning_comixup.solvers.half_labels import MOST_HALVES, half_square_distance
from lightning_comixup.solvers.load_problem import MOST_ENERGY, load_problem, scaled_weights
from lightning_comixup.solvers.local_search import search_locally

# The local search begins after this sweep. Earlier ones still depend strongly on the start.
_FIRST_SEARCH = 1
# A group whose energy ends high is solved again, at most this many times. "High" means above a share of the bound in
# `_good_energy`: the second share up to 16 cells, where groups hardly ever end high, and the first up to 64. With more
# cells the smoothness keeps labelings from what the bound assumes, and no group is solved again. With so few cells that
# a descent takes no longer than the call, every group is. All of this is heuristic: at 8 × 8 cells it concerns a tenth
# to a half of the groups, including those that end far too high.
_MORE_STARTS = 1
_GOOD_SHARE, _FAIR_SHARE = 0.71, 0.65
_FEW_CELLS, _SOME_CELLS, _MANY_CELLS = 4, 16, 64
# How many of the cheapest inputs of each cell the bound lets the outputs share. Heuristic: with six, the share that
# groups reach depends least on how flat the saliency is.
_CHEAPEST_INPUTS = 6


@kernel
def _outputs_energy(cost: Floats, neighbours: Integers, weights: Floats, labels: Integers) -> float:
    """Return the unary and smoothness terms of all outputs."""
    total = 0.0
    for output in range(labels.shape[1]):
        for cell in range(labels.shape[2]):
            first, second = labels[0, output, cell], labels[1, output, cell]
            total += 0.5 * (cost[cell, first] + cost[cell, second])
            for direction in range(neighbours.shape[1]):
                beside = neighbours[cell, direction]
                if beside > cell:
                    total += weights[at.SMOOTHNESS] * half_square_distance(
                        first, second, labels[0, output, beside], labels[1, output, beside]
                    )
    return total


@kernel
def _start_from(
    start: int, shift: int, starts: Integers, matrices: Floats, labels: Integers, uses: Floats, inputs: Floats
) -> None:
    """Start from a labeling of whole cells, where each cell takes the input of the cell `shift` positions later."""
    clear_extra(uses)
    for output in range(labels.shape[1]):
        for cell in range(labels.shape[2]):
            label = starts[start, output, (cell + shift) % labels.shape[2]]
            labels[0, output, cell], labels[1, output, cell] = label, label
        count_output(output, matrices, labels, uses, inputs)


@kernel
def _copy(source: NDArray[np.integer[Any]], target: NDArray[np.integer[Any]]) -> None:
    for side in range(2):
        for output in range(source.shape[1]):
            for cell in range(source.shape[2]):
                target[side, output, cell] = source[side, output, cell]


@kernel
def _sweep(
    sweep: int,
    cost: Floats,
    matrices: Floats,
    neighbours: Integers,
    weights: Floats,
    labels: Integers,
    uses: Floats,
    inputs: Floats,
    prices: Floats,
    lists: Integers,
) -> int:
    """Solve each output in turn, or after the last sweep only those above capacity; return how many were solved."""
    solved, halves = 0, sweep > 0 and weights[at.SWEEPS] > 1.0
    for output in range(labels.shape[1]):
        if sweep < weights[at.SWEEPS] or exceeds_capacity(output, weights, uses, inputs):
            solve_output(output, halves, cost, matrices, neighbours, weights, labels, uses, inputs, prices, lists)
            solved += 1
    return solved


@kernel
def _descend(
    lowest: float,
    best: NDArray[np.int32],
    cost: Floats,
    matrices: Floats,
    neighbours: Integers,
    weights: Floats,
    labels: Integers,
    uses: Floats,
    inputs: Floats,
    prices: Floats,
    lists: Integers,
) -> float:
    """Sweep from the current labeling; store the best labeling in `best` if its energy is below `lowest`.

    This differs from the authors' code in two ways. A local search follows every sweep but the first, because sweeps
    end with cells whose penalty outweighs all they could gain, and no step on a single output can move these cells.
    Outputs above capacity after the last sweep are solved again until the energy falls no further, at most as many
    times as there were sweeps. This is rare, but without it some labelings of fine grids would end far above others.

    A labeling with duplicate outputs is not stored before the last sweep, in which a cost separates them.

    Returns the lowest energy.
    """
    last, before = int(weights[at.SWEEPS]) - 1, np.inf
    for sweep in range(2 * last + 2):
        if _sweep(sweep, cost, matrices, neighbours, weights, labels, uses, inputs, prices, lists) == 0:
            break
        energy = np.inf
        if sweep >= min(_FIRST_SEARCH, last):
            energy = search_locally(cost, matrices, neighbours, weights, labels, uses, inputs, prices, lists)
        separating = weights[at.DIVERSITY] if sweep == last - 1 else 0.0
        if weights[at.RESOLVE] > 0.0 and sweep < last and separate_duplicates(separating, uses):
            continue
        energy += _outputs_energy(cost, neighbours, weights, labels)
        if energy < lowest:
            lowest = energy
            _copy(labels, best)
        if sweep > last and energy >= before:
            break
        before = energy if sweep > last else np.inf
    return lowest


@kernel
def _good_energy(outputs: int, cost: Floats) -> float:
    """Return the energy above which a group is solved again.

    This is a fraction of what the unary would be if the outputs shared the cheapest inputs of each cell evenly.
    """
    cells, count = cost.shape[0], min(_CHEAPEST_INPUTS, cost.shape[1])
    total, cheapest = 0.0, np.empty(count)
    for cell in range(cells):
        for place in range(count):
            cheapest[place] = np.inf
        for label in range(cost.shape[1]):
            own = cost[cell, label]
            for place in range(count):
                if own < cheapest[place]:
                    own, cheapest[place] = cheapest[place], own
        for place in range(count):
            total += cheapest[place]
    good = (_GOOD_SHARE if cells > _SOME_CELLS else _FAIR_SHARE) * total * outputs / count
    return -np.inf if cells <= _FEW_CELLS else np.inf if cells > _MANY_CELLS else good


@kernel
def _count_over_capacity(
    best: NDArray[np.int32], matrices: Floats, weights: Floats, labels: Integers, uses: Floats, inputs: Floats
) -> int:
    """Return the number of outputs of a labeling with an input that the others use beyond the capacity."""
    _copy(best, labels)
    for output in range(labels.shape[1]):
        count_output(output, matrices, labels, uses, inputs)
    found = 0
    for output in range(labels.shape[1]):
        found += exceeds_capacity(output, weights, uses, inputs)
    return found


@EntryPoint
def best_descent(
    unary: Floats,
    compatibility: Floats,
    prior: Floats,
    starts: Integers,
    neighbours: Integers,
    weights: Floats,
    best: NDArray[np.int32],
) -> tuple[float, int]:
    """Write the labeling of lowest energy to `best`; return its energy and the number of outputs above capacity.

    The energy is infinity if the problem is invalid. Shapes: unary (N, cells), compatibility (N, N), prior (N,), starts
    (restarts, M, cells), best (2, M, cells).
    """
    (size, cells), (restarts, outputs) = unary.shape, starts.shape[:2]
    cost, matrices, inputs = np.empty((cells, size)), np.empty((2, size, size)), np.zeros((at.INPUT_ROWS, size))
    if not load_problem(unary, compatibility, prior, starts, weights, cost, matrices, inputs):
        return np.inf, 0
    labels, uses = np.empty((2, outputs, cells), np.int64), np.zeros((4, outputs, size))
    prices, lists = np.zeros((at.PRICE_ROWS, size)), np.empty((at.LISTS, max(size, MOST_HALVES)), np.int64)
    good, lowest, descent = _good_energy(outputs, cost), np.inf, 0
    while descent < restarts or (descent < restarts + _MORE_STARTS and lowest > good):
        _start_from(descent % restarts, descent // restarts, starts, matrices, labels, uses, inputs)
        lowest = _descend(lowest, best, cost, matrices, neighbours, weights, labels, uses, inputs, prices, lists)
        descent += 1
    return lowest, _count_over_capacity(best, matrices, weights, labels, uses, inputs)


def _raise_invalid(problem: Problem) -> None:
    """Raise the error that explains why a problem is invalid."""
    check_values(problem.unary, problem.compatibility, problem.prior, problem.starts)
    raise ValueError(
        f"Energies must stay below {MOST_ENERGY:.0e}, found costs and weights that may exceed that, with a unary of "
        f"{np.abs(problem.unary).max():.3g}. Lower smoothness, diversity or prior_weight, or scale down the unary."
    )


first_use_note = best_descent.first_use_note


def solve(problem: Problem) -> Labeling:
    """Minimise the energy of one group by block-wise descent from each start; keep the labeling of lowest energy.

    A group whose energy ends high, and any group with few cells, is solved once more from its first start, where each
    cell takes the input of the next cell.

    Args:
        problem: The group, with any number of inputs, outputs and dimensions. Its values need not have been checked.

    Raises:
        ValueError: If a value is not finite, a start is not a labeling, or costs or weights are so large that energies
            may overflow.
    """
    inputs, grid = problem.unary.shape[0], problem.unary.shape[1:]
    outputs, cells = problem.starts.shape[1], problem.unary[0].size
    best = np.empty((2, outputs, cells), np.int32)
    # The copies are contiguous, writable and of these types. Numba would compile again for any other kind.
    energy, over_capacity = best_descent(
        problem.unary.astype(np.float64, order="C").reshape(inputs, cells),
        problem.compatibility.astype(np.float64, order="C"),
        problem.prior.astype(np.float64, order="C"),
        problem.starts.astype(np.int64, order="C").reshape(-1, outputs, cells),
        neighbouring_cells(grid),
        scaled_weights(problem),
        best,
    )
    if energy == np.inf:
        _raise_invalid(problem)
    first, second = best.reshape(2, outputs, *grid)
    return Labeling(first, second, float(energy), int(over_capacity))
