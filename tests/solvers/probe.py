"""An entry point for the tests of the kernels, which makes a single step of the descent from any labeling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.method.grid import neighbouring_cells
from lightning_comixup.method.problem import Labeling, Problem
from lightning_comixup.solvers import arrays as at
from lightning_comixup.solvers.cheapest_label import solve_output
from lightning_comixup.solvers.descent import _good_energy, _outputs_energy
from lightning_comixup.solvers.diversity import count_output, diversity_energy, price_modular_bound
from lightning_comixup.solvers.duplicates import separate_duplicates
from lightning_comixup.solvers.entry_point import EntryPoint
from lightning_comixup.solvers.half_labels import MOST_HALVES, list_most_used
from lightning_comixup.solvers.load_problem import load_problem, scaled_weights
from lightning_comixup.solvers.local_search import search_locally

# The steps.
COUNT, SOLVE, SEARCH, SEPARATE = range(4)


@EntryPoint
def _make_step(
    step: int,
    output: int,
    use_halves: bool,
    unary: NDArray[np.float64],
    compatibility: NDArray[np.float64],
    prior: NDArray[np.float64],
    starts: NDArray[np.int64],
    neighbours: NDArray[np.int64],
    weights: NDArray[np.float64],
    labels: NDArray[np.int64],
    uses: NDArray[np.float64],
    prices: NDArray[np.float64],
    lists: NDArray[np.int64],
    energies: NDArray[np.float64],
) -> int:
    (size, cells), outputs = unary.shape, labels.shape[1]
    cost, matrices, inputs = np.empty((cells, size)), np.empty((2, size, size)), np.zeros((at.INPUT_ROWS, size))
    load_problem(unary, compatibility, prior, starts, weights, cost, matrices, inputs)
    for index in range(outputs):
        count_output(index, matrices, labels, uses, inputs)
    energies[0] = _outputs_energy(cost, neighbours, weights, labels) + diversity_energy(weights, uses, inputs)
    found = list_most_used(output, uses, lists)
    price_modular_bound(output, matrices, weights, uses, inputs, prices)
    if step == SOLVE:
        solve_output(output, use_halves, cost, matrices, neighbours, weights, labels, uses, inputs, prices, lists)
    elif step == SEARCH:
        energies[2] = search_locally(cost, matrices, neighbours, weights, labels, uses, inputs, prices, lists)
    elif step == SEPARATE:
        found = separate_duplicates(weights[at.DIVERSITY], uses)
    energies[1] = _outputs_energy(cost, neighbours, weights, labels) + diversity_energy(weights, uses, inputs)
    energies[3] = _good_energy(outputs, cost)
    return found


class Stepped(NamedTuple):
    """The result of a step."""

    labeling: Labeling  # with the energy after the step
    before: float  # the energy before the step
    uses: NDArray[np.float64]
    price: NDArray[np.float64]  # of the output, before the step
    most_used: list[int]  # of the output, before the step
    found: int
    diversity: float  # as returned by the local search
    good: float  # see `_good_energy`


def make_step(
    problem: Problem, labeling: Labeling | None = None, *, step: int = COUNT, output: int = 0, use_halves: bool = True
) -> Stepped:
    """Make a step from a labeling, or from the problem's first start if it is None."""
    inputs, grid = len(problem.unary), problem.unary.shape[1:]
    start = problem.starts[0]
    sides = (start, start) if labeling is None else (labeling.first, labeling.second)
    labels = np.stack(sides).astype(np.int64).reshape(2, len(start), -1)
    uses, prices = np.zeros((4, len(start), inputs)), np.zeros((at.PRICE_ROWS, inputs))
    lists, energies = np.zeros((at.LISTS, max(inputs, MOST_HALVES)), np.int64), np.zeros(4)
    arguments = (
        problem.unary.astype(np.float64).reshape(inputs, -1),
        problem.compatibility.astype(np.float64),
        problem.prior.astype(np.float64),
        problem.starts.astype(np.int64).reshape(len(problem.starts), len(start), -1),
        neighbouring_cells(grid),
        scaled_weights(problem),
    )
    size = _make_step(COUNT, output, use_halves, *arguments, labels.copy(), uses, prices, lists, energies)
    price, most_used = prices[at.PRICE].copy(), lists[at.MOST_USED][:size].tolist()
    uses[:] = 0
    found = _make_step(step, output, use_halves, *arguments, labels, uses, prices, lists, energies)
    first, second = labels.astype(np.int32).reshape(2, len(start), *grid)
    after = Labeling(first, second, float(energies[1]), 0)
    return Stepped(after, energies[0], uses, price, most_used, int(found), energies[2], energies[3])
