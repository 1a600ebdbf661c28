"""An entry point for tests: one step of the descent by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.block import solve_output
from lightning_comixup.solvers.domains import fill_costs
from lightning_comixup.solvers.group import Group, new_state, recount
from lightning_comixup.solvers.half_labels import MOST_HALVES
from lightning_comixup.solvers.jit import entry_point, source_fingerprint
from lightning_comixup.solvers.loops import copy_rows, fill_rows
from lightning_comixup.solvers.subproblem import new_subproblem

_FINGERPRINT = source_fingerprint()


def _compile(fingerprint: int):  # type: ignore[no-untyped-def]
    @entry_point
    def solve_first_output(
        group: Group, start: NDArray[np.int32], use_halves: bool, cost: NDArray[np.float64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32], bool, int]:
        """Solve output 0 of `start`, the others held; return its two inputs per cell, the pairs of the half labels,
        whether the minimum is proven, and a number that keys the cache. Leaves the costs by label in `cost`.
        """
        state = new_state(group, start.shape[0])
        copy_rows(state.first, start)
        copy_rows(state.second, start)
        fill_rows(state.extra, 0.0)
        fill_rows(state.halves, -1)
        recount(state)
        labels = group.unary.shape[1] + MOST_HALVES
        sub = new_subproblem(group.neighbours, group.rank, labels, group.smoothness, group.cap)
        proven = solve_output(0, use_halves, group, state, sub)
        offered = group.unary.shape[1]
        for half in range(MOST_HALVES):
            offered += state.halves[0, half] >= 0
        fill_costs(offered, group, state)
        copy_rows(cost, state.cost)
        solution = np.empty((2, start.shape[1]), np.int32)
        for cell in range(start.shape[1]):
            solution[0, cell] = state.first[0, cell]
            solution[1, cell] = state.second[0, cell]
        return solution, state.halves[:2], proven, fingerprint

    return solve_first_output


solve_first_output = _compile(_FINGERPRINT)
