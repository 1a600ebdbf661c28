"""Solver "exact": the best of several descents, each subproblem at its proven minimum wherever the table fits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.energy import add_prior
from lightning_comixup.method.grid import lattice
from lightning_comixup.method.problem import Labeling, Problem, check_values
from lightning_comixup.solvers.compiler.jit import entry_point, kernel, small, source_fingerprint
from lightning_comixup.solvers.compiler.references import pin, reference_like
from lightning_comixup.solvers.descent import descend, start_from
from lightning_comixup.solvers.domains import survey_unary
from lightning_comixup.solvers.group import Group, State, new_group, new_state
from lightning_comixup.solvers.reading import MOST_ENERGY, Arguments, read_problem
from lightning_comixup.solvers.slots import slots_of
from lightning_comixup.solvers.subproblem import Subproblem, Tables, new_subproblem, new_tables


@small
def _write_best(state: State, best: NDArray[np.int32]) -> None:
    for side in range(2):
        for output in range(best.shape[1]):
            for cell in range(best.shape[2]):
                best[side, output, cell] = state.best[side, output, cell]


@kernel
def _descend_from_each(
    starts: NDArray[np.int64],
    group: Group,
    state: State,
    sub: Subproblem,
    best: NDArray[np.int32],
    tally: NDArray[np.int64],
) -> float:
    """Descend from each start; write the labeling of lowest energy to `best` and return that energy."""
    survey_unary(group, state, sub)
    lowest = np.inf
    for start in range(starts.shape[0]):
        start_from(start, starts, state)
        lowest = descend(group, state, sub, lowest, tally)
    _write_best(state, best)
    return lowest


class _Space(NamedTuple):
    """The arrays that a thread works in."""

    group: Group
    state: State
    sub: Subproblem


def _new_space(tables: Tables, outputs: int, inputs: int, grid: tuple[int, ...], parameters: Hyperparameters) -> _Space:
    group = new_group(inputs, lattice(grid).neighbours, parameters)
    return _Space(group, new_state(group, outputs), new_subproblem(slots_of(grid), inputs, group.smoothness, tables))


# Not variables of the function around the entry point: such become part of the key of its cache, as the fingerprint.
_example = _new_space(new_tables(cap=1), 2, 2, (1,), Hyperparameters())
_group_at, _state_at = reference_like(_example.group), reference_like(_example.state)
_sub_at = reference_like(_example.sub)


def _compile(fingerprint: int) -> Callable[..., Any]:
    @entry_point
    def best_descent(
        arguments: Arguments, pinned: NDArray[np.int64], best: NDArray[np.int32], tally: NDArray[np.int64]
    ) -> float:
        """Write the labeling of lowest energy to `best`; return that energy, infinity if the problem is none."""
        # Being read, the number becomes part of the key of the cache on disk.
        tally[2] = fingerprint
        group, state, sub = _group_at(pinned[0]), _state_at(pinned[1]), _sub_at(pinned[2])
        if not read_problem(arguments, group):
            return np.inf
        return _descend_from_each(arguments.starts, group, state, sub, best, tally)

    return best_descent


best_descent = _compile(source_fingerprint())


class _Pinned(NamedTuple):
    """A space that compiled code can be pointed to."""

    space: _Space
    pins: list[NDArray[np.int64]]
    addresses: NDArray[np.int64]  # of the pins, good as long as this lives
    size: int  # bytes, without the tables


def _pin_space(space: _Space) -> _Pinned:
    pins = [pin(part, example) for part, example in zip(space, _example, strict=True)]
    arrays = [value for part in space for value in part if isinstance(value, np.ndarray)]
    size = sum(array.nbytes for array in arrays) - space.sub.table.nbytes - space.sub.choices.nbytes
    return _Pinned(space, pins, np.array([pinned.ctypes.data for pinned in pins], np.int64), size)


# Shapes of groups that a thread keeps arrays for: twice as many as "random" grids, each with a smaller last group. And
# how many bytes these may take together, unless it is one. Both heuristic: making them takes half as long as a group.
_MOST_SPACES = 16
_MOST_BYTES = 1 << 25


class _Workspace(threading.local):
    """The arrays of the last groups of each thread, by their shapes and hyper-parameters."""

    def __init__(self) -> None:
        self.tables = new_tables()
        self.spaces: dict[tuple[object, ...], _Pinned] = {}  # the last used comes last

    def pinned_for(self, outputs: int, inputs: int, grid: tuple[int, ...], parameters: Hyperparameters) -> _Pinned:
        """Return a space of this shape, to be held as long as its addresses are used."""
        key = (outputs, inputs, grid, parameters)
        found = self.spaces.pop(key, None) or _pin_space(_new_space(self.tables, *key))
        self.spaces[key] = found
        while len(self.spaces) > 1 and (
            len(self.spaces) > _MOST_SPACES or sum(pinned.size for pinned in self.spaces.values()) > _MOST_BYTES
        ):
            del self.spaces[next(iter(self.spaces))]
        return found


_workspace = _Workspace()


def _arguments(problem: Problem) -> Arguments:
    inputs, outputs = problem.unary.shape[0], problem.starts.shape[1]
    return Arguments(
        problem.unary.astype(np.float64, order="C").reshape(inputs, -1),
        problem.compatibility.astype(np.float64, order="C"),
        problem.prior.astype(np.float64),
        problem.hyperparameters.prior_weight,
        problem.starts.astype(np.int64, order="C").reshape(-1, outputs, problem.unary[0].size),
    )


def _refuse(problem: Problem) -> None:
    """Say why a problem is none."""
    check_values(problem.unary, problem.compatibility, problem.prior, problem.starts)
    parameters = problem.hyperparameters
    with np.errstate(over="ignore"):  # that is what is to be told
        cost = add_prior(problem.unary.astype(np.float64), problem.prior.astype(np.float64), parameters.prior_weight)
    outputs, inputs, cells = problem.starts.shape[1], len(cost), cost[0].size
    # Python's numbers: NumPy would warn of the overflow that this looks for.
    paid = parameters.diversity * float(np.abs(problem.compatibility).max()) * inputs * outputs * cells
    largest = (float(np.abs(cost).max()) + parameters.smoothness + paid) * outputs * cells
    raise ValueError(
        f"Energies must stay below {MOST_ENERGY:.0e}, found costs and weights that reach {largest:.3g}. Lower "
        "smoothness, diversity or prior_weight, or scale the unary."
    )


def solve(problem: Problem) -> Labeling:
    """Minimise the energy of one group by block-wise descent from each start; keep the lowest energy seen.

    Each step minimises over one output with the others held and proves it (`block.solve_output`), unless messages leave
    a component of cells undecided that needs a table beyond the cap: then the cheapest labeling found is taken.

    Args:
        problem: The group; any number of inputs, outputs and dimensions. Its values need not be checked.

    Returns:
        The labeling of lowest energy over the last sweeps of all starts.

    Raises:
        ValueError: If a value is not finite, a start no labeling, or costs or weights are so large that energies may
            overflow.
    """
    grid, outputs = problem.unary.shape[1:], problem.starts.shape[1]
    arguments = _arguments(problem)
    pinned = _workspace.pinned_for(outputs, problem.unary.shape[0], grid, problem.hyperparameters)
    best, tally = np.empty((2, outputs, arguments.starts.shape[2]), np.int32), np.zeros(3, np.int64)
    lowest = best_descent(arguments, pinned.addresses, best, tally)
    if lowest == np.inf:
        _refuse(problem)
    first, second = best.reshape(2, outputs, *grid)
    return Labeling(first, second, float(lowest), int(tally[0]), int(tally[1]))
