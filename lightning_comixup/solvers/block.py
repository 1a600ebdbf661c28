"""One output with the others held: the subproblem of a step of the descent, solved and written back."""

from __future__ import annotations

from lightning_comixup.solvers.bounds import close_gap
from lightning_comixup.solvers.compiler.jit import inlined, kernel
from lightning_comixup.solvers.compiler.lanes import padded
from lightning_comixup.solvers.components import solve_components
from lightning_comixup.solvers.counts import count_output
from lightning_comixup.solvers.dead_ends import eliminate_dead_ends
from lightning_comixup.solvers.domains import fill_costs
from lightning_comixup.solvers.group import Group, State
from lightning_comixup.solvers.half_labels import MOST_HALVES
from lightning_comixup.solvers.subproblem import PLACE, Subproblem

# Passes of messages before the programme takes what they left undecided; and once more, if a component's table would
# exceed the cap. Heuristic: four to eight passes mostly decide all.
_PASSES = (16, 64)


@inlined
def _solve(halves: bool, width: int, sub: Subproblem) -> bool:
    """Leave a labeling in work[PLACE]; True if it is a minimum.

    Where it is not proven, components beyond the cap have the cheapest labeling that the messages led to.
    """
    eliminate_dead_ends(halves, width, sub)
    for passes in _PASSES:
        if close_gap(passes, passes != _PASSES[0], halves, width, sub) or solve_components(width, sub):
            return True
    return False


@kernel
def _write_back(output: int, group: Group, state: State, sub: Subproblem) -> None:
    """Replace the output's labeling and counts by the subproblem's solution."""
    for cell in range(state.first.shape[1]):
        place = sub.work[PLACE, cell]
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
    places = fill_costs(output, use_halves, group, state, sub)
    proven = _solve(use_halves, padded(places), sub)
    _write_back(output, group, state, sub)
    return proven
