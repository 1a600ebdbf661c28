"""An entry point for tests: one step of the descent by itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.block import solve_output
from lightning_comixup.solvers.compiler.jit import entry_point, source_fingerprint
from lightning_comixup.solvers.counts import count_all
from lightning_comixup.solvers.descent import start_from
from lightning_comixup.solvers.domains import survey_unary
from lightning_comixup.solvers.group import Group, State, new_state
from lightning_comixup.solvers.loops import fill_rows
from lightning_comixup.solvers.slots import slots_of
from lightning_comixup.solvers.subproblem import TABLE_CAP, Subproblem, new_subproblem, new_tables

_FINGERPRINT = source_fingerprint()


def _compile(fingerprint: int):  # type: ignore[no-untyped-def]
    @entry_point
    def solve_first_output(
        group: Group, state: State, sub: Subproblem, starts: NDArray[np.int64], use_halves: bool
    ) -> tuple[bool, int]:
        """Solve output 0, the others held; return whether the minimum is proven, and what keys the cache."""
        start_from(0, starts, state)
        fill_rows(state.extra, 0.0)
        fill_rows(state.halves, -1)
        count_all(group, state)
        survey_unary(group, state, sub)
        return solve_output(0, use_halves, group, state, sub), fingerprint

    return solve_first_output


_solve_first_output = _compile(_FINGERPRINT)


class Solved(NamedTuple):
    first: NDArray[np.int64]  # (cells,)
    second: NDArray[np.int64]
    halves: NDArray[np.int64]  # (2, half labels) the pairs
    proven: bool


def solve_first_output(
    group: Group, grid: tuple[int, ...], start: NDArray[np.integer[Any]], use_halves: bool, cap: int = TABLE_CAP
) -> Solved:
    state = new_state(group, start.shape[0])
    sub = new_subproblem(slots_of(grid), group.inputs, group.smoothness, new_tables(cap))
    proven, _ = _solve_first_output(group, state, sub, start.astype(np.int64)[None], use_halves)
    return Solved(state.first[0], state.second[0], state.halves, bool(proven))
