"""One output with the others held: the subproblem of a step of the descent, solved and written back."""

from __future__ import annotations

from lightning_comixup.solvers.components import solve_domains
from lightning_comixup.solvers.domains import fill_costs, fill_domains, price_labels
from lightning_comixup.solvers.group import Group, State
from lightning_comixup.solvers.jit import inlined, kernel
from lightning_comixup.solvers.moves import improve_by_expansion, labeling_cost
from lightning_comixup.solvers.subproblem import BEYOND_CAP, COMPONENT, LABELING, Subproblem


@kernel
def _find_held(output: int, labels: int, state: State) -> bool:
    """Write the output's present labeling into labeling[1]; False if one of its half labels is not offered."""
    inputs = state.counts.shape[1]
    for cell in range(state.first.shape[1]):
        first, second = state.first[output, cell], state.second[output, cell]
        found = first if first == second else -1
        for half in range(labels - inputs):
            if state.halves[0, half] == first and state.halves[1, half] == second:
                found = inputs + half
        if found < 0:
            return False
        state.labeling[1, cell] = found
    return True


@inlined
def _solve_beyond_cap(output: int, labels: int, group: Group, state: State, sub: Subproblem) -> None:
    """Improve what the programme left undecided by moves, from the better of two starts.

    The starts are the cheapest label of each undecided cell and, where it is among the labels offered, the output's
    present labeling: the result is no worse than either.
    """
    fill_costs(labels, group, state)
    labeling, held, free = state.labeling[0], state.labeling[1], state.marks
    for cell in range(labeling.shape[0]):
        free[cell] = sub.work[COMPONENT, cell] == BEYOND_CAP
    if _find_held(output, labels, state) and (
        labeling_cost(held, state.cost, sub) < labeling_cost(labeling, state.cost, sub)
    ):
        for cell in range(labeling.shape[0]):
            labeling[cell] = held[cell]
            free[cell] = True
    improve_by_expansion(labeling, free, state.cost, labels, group.cap, sub)


@kernel
def _write_back(output: int, state: State) -> None:
    """Replace the output's labeling and counts by the subproblem's solution, labeling[0]."""
    inputs = state.counts.shape[1]
    for label in range(inputs):
        state.totals[label] -= state.counts[output, label]
        state.counts[output, label] = 0
    for cell in range(state.first.shape[1]):
        label = state.labeling[0, cell]
        first = label if label < inputs else state.halves[0, label - inputs]
        second = label if label < inputs else state.halves[1, label - inputs]
        state.first[output, cell] = first
        state.second[output, cell] = second
        state.counts[output, first] += 1
        state.counts[output, second] += 1
        state.totals[first] += 1
        state.totals[second] += 1


@inlined
def solve_output(output: int, use_halves: bool, group: Group, state: State, sub: Subproblem) -> bool:
    """Minimise over one output with the others held; True if the minimum is proven.

    The problem: minimise Σ_s ⟨unary_s + 2γ φ(p), z_s⟩ + β/2 Σ_(s,t) ‖z_s - z_t‖² over z_s in the inputs and the
    half labels offered, p the counts of the other outputs (section 3 of the paper: the modular upper bound).
    """
    labels = price_labels(output, use_halves, group, state, sub)
    fill_domains(labels, group, state, sub)
    beyond = solve_domains(group.cap, sub)
    for cell in range(state.first.shape[1]):
        state.labeling[0, cell] = sub.work[LABELING, cell]
    if beyond > 0:
        _solve_beyond_cap(output, labels, group, state, sub)
    _write_back(output, state)
    return beyond == 0
