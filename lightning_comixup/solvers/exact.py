"""Solver "exact": the best of several descents, each subproblem at its proven minimum wherever the table fits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.energy import capacity
from lightning_comixup.grid import lattice
from lightning_comixup.problem import Labeling, Problem
from lightning_comixup.solvers.compiler.jit import entry_point, kernel, source_fingerprint
from lightning_comixup.solvers.compiler.lanes import padded
from lightning_comixup.solvers.compiler.references import refer
from lightning_comixup.solvers.descent import descend
from lightning_comixup.solvers.domains import survey_unary
from lightning_comixup.solvers.group import Group, State, new_state
from lightning_comixup.solvers.loops import copy_rows
from lightning_comixup.solvers.slots import slots_of
from lightning_comixup.solvers.subproblem import Subproblem, new_subproblem
from lightning_comixup.unary import add_prior


@kernel
def _descend_from_each(
    starts: NDArray[np.int64], group: Group, state: State, sub: Subproblem, tally: NDArray[np.int64]
) -> float:
    """Descend from each start; return the lowest energy seen."""
    survey_unary(group, state, sub)
    lowest = np.inf
    for start in range(starts.shape[0]):
        copy_rows(state.first, starts[start])
        copy_rows(state.second, starts[start])
        lowest = descend(group, state, sub, lowest, tally)
    return lowest


def _compile(fingerprint: int) -> Callable[..., Any]:
    @entry_point
    def best_descent(
        starts: NDArray[np.int64], group: Group, state: State, sub: Subproblem, tally: NDArray[np.int64]
    ) -> float:
        # Being read, the number becomes part of the key of the cache on disk.
        tally[2] = fingerprint
        return _descend_from_each(starts, refer(group), refer(state), refer(sub), tally)

    return best_descent


best_descent = _compile(source_fingerprint())


# Bound on every sum of the solver; sums of a few such still are finite numbers.
_MOST_ENERGY = 1e300


class _Workspace(threading.local):
    """The arrays of the last group of each thread: the next is mostly of the same shape."""

    def __init__(self) -> None:
        self.key: tuple[object, ...] = ()
        self.arrays: tuple[State, Subproblem] | None = None


_workspace = _Workspace()


def _arrays(group: Group, outputs: int, grid: tuple[int, ...]) -> tuple[State, Subproblem]:
    key = (outputs, group.inputs, grid, group.smoothness)
    if _workspace.arrays is None or _workspace.key != key:
        _workspace.arrays = new_state(group, outputs), new_subproblem(slots_of(grid), group.inputs, group.smoothness)
        _workspace.key = key
    return _workspace.arrays


def padded_rows(matrix: NDArray[Any], filling: float = 0.0) -> NDArray[np.float64]:
    """Return a matrix in float64, its rows padded to whole lanes."""
    rows = np.full((matrix.shape[0], padded(matrix.shape[1])), filling)
    rows[:, : matrix.shape[1]] = matrix
    return rows


def _check_range(cost: NDArray[np.float64], problem: Problem) -> None:
    """Check that no energy overflows: the kernels count on numbers that can be compared."""
    parameters = problem.hyperparameters
    outputs, (inputs, cells) = problem.starts.shape[1], cost.shape
    # Python's numbers: NumPy would warn of the overflow that this looks for.
    paid = parameters.diversity * float(np.abs(problem.compatibility).max()) * inputs * outputs * cells
    largest = (float(np.abs(cost).max()) + parameters.smoothness + paid) * outputs * cells
    if not largest < _MOST_ENERGY:
        raise ValueError(
            f"Energies must stay below {_MOST_ENERGY:.0e}, found costs and weights that reach {largest:.3g}. Lower "
            "smoothness, diversity or prior_weight, or scale the unary."
        )


def state_group(problem: Problem) -> Group:
    """State a problem as the compiled solver takes it: exactly these types; any other would be compiled for anew."""
    parameters = problem.hyperparameters
    inputs, grid = problem.unary.shape[0], problem.unary.shape[1:]
    cost = add_prior(
        problem.unary.astype(np.float64), problem.prior.astype(np.float64), parameters.prior_weight
    ).reshape(inputs, -1)
    cells = cost.shape[1]
    _check_range(cost, problem)
    return Group(
        inputs=inputs,
        unary=padded_rows(cost.T, np.inf),
        spread=padded_rows(problem.compatibility.T),
        matrix=padded_rows(problem.compatibility),
        neighbours=lattice(grid).neighbours,
        smoothness=parameters.smoothness / cells,
        diversity=parameters.diversity / cells,
        penalty_threshold=capacity(parameters, cells),
        soft=parameters.thresholding == "soft",
        sweeps=parameters.sweeps,
        resolve_duplicates=parameters.resolve_duplicates,
    )


def solve(problem: Problem) -> Labeling:
    """Minimise the energy of one group by block-wise descent from each start; keep the lowest energy seen.

    Each step minimises over one output with the others held and proves it (`block.solve_output`), unless messages leave
    a component of cells undecided that needs a table beyond the cap: then the cheapest labeling found is taken.

    Args:
        problem: The group; any number of inputs, outputs and dimensions.

    Returns:
        The labeling of lowest energy over the last sweeps of all starts.

    Raises:
        ValueError: If costs or weights are so large that energies may overflow.
    """
    group, grid = state_group(problem), problem.unary.shape[1:]
    # In this order whatever that of the user's is: for another the solver would be compiled again.
    starts = problem.starts.astype(np.int64, order="C").reshape(*problem.starts.shape[:2], -1)
    state, sub = _arrays(group, starts.shape[1], grid)
    tally = np.zeros(3, np.int64)
    lowest = best_descent(starts, group, state, sub, tally)
    first, second = state.best.astype(np.int32).reshape(2, -1, *grid)
    return Labeling(first, second, float(lowest), int(tally[0]), int(tally[1]))
