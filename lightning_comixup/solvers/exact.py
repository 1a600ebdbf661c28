"""Solver "exact": the best of several descents, each subproblem at its proven minimum wherever the table fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.grid import lattice
from lightning_comixup.problem import ENERGY_TOLERANCE, Labeling, Problem
from lightning_comixup.solvers.descent import descend
from lightning_comixup.solvers.group import Group, new_state
from lightning_comixup.solvers.half_labels import MOST_HALVES
from lightning_comixup.solvers.jit import entry_point, source_fingerprint
from lightning_comixup.solvers.loops import copy_rows
from lightning_comixup.solvers.subproblem import new_subproblem
from lightning_comixup.unary import add_prior

# Table entries beyond which a component goes to the second method: 8 MB, a few milliseconds. Heuristic: every
# subproblem of the recorded groups at 4 x 4 cells fits, also with a smoothness of 1.
TABLE_CAP = 1 << 20


def _compile(fingerprint: int) -> Callable[..., Any]:
    @entry_point
    def best_descent(
        group: Group, starts: NDArray[np.int32], tally: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], float]:
        # The reference makes the number part of the key of the cache on disk.
        tally[2] = fingerprint
        state = new_state(group, starts.shape[1])
        labels = group.unary.shape[1] + MOST_HALVES
        sub = new_subproblem(group.neighbours, group.rank, labels, group.smoothness, group.cap)
        best = np.empty((2, starts.shape[1], starts.shape[2]), np.int32)
        copy_rows(best[0], starts[0])
        copy_rows(best[1], starts[0])
        lowest = np.inf
        for start in range(starts.shape[0]):
            copy_rows(state.first, starts[start])
            copy_rows(state.second, starts[start])
            lowest = descend(group, state, sub, best, lowest, tally)
        return best, lowest

    return best_descent


best_descent = _compile(source_fingerprint())


def solve(problem: Problem) -> Labeling:
    """Minimise the energy of one group by block-wise descent from each start; keep the lowest energy seen.

    Each step minimises over one output with the others held (`block.solve_output`) and proves it, unless a component of
    undecided cells needs a table beyond the cap: then expansion moves improve the cheapest labeling.

    Args:
        problem: The group; any number of inputs, outputs and dimensions.

    Returns:
        The labeling of lowest energy over all sweeps of all starts.
    """
    parameters = problem.hyperparameters
    inputs, grid = problem.unary.shape[0], problem.unary.shape[1:]
    cost = add_prior(
        problem.unary.astype(np.float64), problem.prior.astype(np.float64), parameters.prior_weight
    ).reshape(inputs, -1)
    cells = cost.shape[1]
    # Exactly these types and writable contiguous arrays: any other would be compiled for anew.
    group = Group(
        np.array(cost.T, order="C"),
        np.array(problem.compatibility.T, np.float64, order="C"),
        *lattice(grid),
        float(parameters.smoothness / cells),
        float(parameters.diversity / cells),
        float(parameters.penalty_threshold * cells),
        parameters.thresholding == "soft",
        parameters.sweeps,
        parameters.resolve_duplicates,
        ENERGY_TOLERANCE,
        TABLE_CAP,
    )
    tally = np.zeros(3, np.int64)
    starts = np.array(problem.starts, np.int32, order="C").reshape(*problem.starts.shape[:2], cells)
    best, lowest = best_descent(group, starts, tally)
    shape = (starts.shape[1], *grid)
    return Labeling(best[0].reshape(shape), best[1].reshape(shape), float(lowest), int(tally[0]), int(tally[1]))
