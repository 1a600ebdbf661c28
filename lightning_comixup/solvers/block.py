"""One output with the others held: the subproblem of a step of the descent, solved and written back."""

from __future__ import annotations

from typing import Any

import numpy as np

from lightning_comixup.solvers.bounds import clear_messages, close_gap, is_closed, list_blocks
from lightning_comixup.solvers.compiler.jit import inlined, kernel
from lightning_comixup.solvers.components import solve_components
from lightning_comixup.solvers.counts import count_output
from lightning_comixup.solvers.dead_ends import eliminate_dead_ends
from lightning_comixup.solvers.domains import fill_costs
from lightning_comixup.solvers.group import Group, State
from lightning_comixup.solvers.half_labels import MOST_HALVES
from lightning_comixup.solvers.messages import Gap
from lightning_comixup.solvers.subproblem import PLACE, Subproblem

# A literal is a type of its own, for which Numba would compile callees once more.
_FIRST_STEP: Any = np.int64(0)
# In `_ROUNDS`: as many entries as there are.
_WHOLE_TABLE = 0
# Rounds: passes of messages, and how many entries of the table, for each block of cells that the passes go over, a
# component of what they leave undecided may take after them. Heuristic: a pass over a block takes as long as some ten
# entries, and mostly four more passes would be needed. At least two passes each: see `bounds.close_gap`.
_ROUNDS = ((3, 40), (3, 40), (3, 40), (3, 40), (4, _WHOLE_TABLE), (64, _WHOLE_TABLE))


@inlined
def _solve(first: int, places: int, sub: Subproblem) -> bool:
    """Leave a labeling in marks[PLACE]; True if it is a minimum.

    Where it is not proven, components beyond the cap have the cheapest labeling that the messages led to.
    """
    eliminate_dead_ends(first, places, sub)
    active, step, gap = list_blocks(first, places, sub), _FIRST_STEP, Gap(np.inf, -np.inf)
    clear_messages(active, first, places, sub)
    for passes, entries in _ROUNDS:
        if active == 0:
            break
        gap = close_gap(active, step, passes, gap, first, places, sub)
        if is_closed(gap):
            return True
        step += passes
        size = sub.table.shape[0]
        cap = size if entries == _WHOLE_TABLE else min(entries * active, size)
        saved = solve_components(cap, active, first, places, sub)
        gap = Gap(gap.cost - saved, gap.bound)
        active = list_blocks(first, places, sub)
    return active == 0


@kernel
def _write_back(output: int, group: Group, state: State, sub: Subproblem) -> None:
    """Replace the output's labeling and counts by the subproblem's solution."""
    for cell in range(state.first.shape[1]):
        place = np.int64(sub.marks[PLACE, sub.slot[cell]])
        half = place < MOST_HALVES
        state.first[output, cell] = state.halves[0, place] if half else state.candidates[place]
        state.second[output, cell] = state.halves[1, place] if half else state.candidates[place]
    count_output(output, group, state)


@inlined
def solve_output(output: int, use_halves: bool, group: Group, state: State, sub: Subproblem) -> bool:
    """Minimise over one output with the others held; True if the minimum is proven.

    The problem: minimise Σ_s ⟨unary_s + 2γ φ(p), z_s⟩ + β/2 Σ_(s,t) ‖z_s - z_t‖² over z_s in the inputs and the
    half labels offered, p the counts of the other outputs (section 3 of the paper: the modular upper bound).
    """
    first, places = fill_costs(output, use_halves, group, state, sub)
    proven = _solve(first, places, sub)
    _write_back(output, group, state, sub)
    return proven
