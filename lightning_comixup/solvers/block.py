"""One output with the others held: the subproblem of a step of the descent, solved and written back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.components import solve_domains
from lightning_comixup.solvers.dead_ends import fill_domains
from lightning_comixup.solvers.diversity import penalty
from lightning_comixup.solvers.half_labels import MOST_HALVES, append_halves, choose_halves
from lightning_comixup.solvers.jit import inlined, kernel
from lightning_comixup.solvers.loops import copy_row, fill_rows
from lightning_comixup.solvers.moves import improve_by_expansion, labeling_cost
from lightning_comixup.solvers.subproblem import BEYOND_CAP, COMPONENT, LABELING, Subproblem


class Group(NamedTuple):
    """One group's problem, the weights scaled by the number of cells (β/S, γ/S, τ·S)."""

    unary: NDArray[np.float64]  # (cells, inputs), the prior included
    compatibility: NDArray[np.float64]  # (inputs, inputs)
    neighbours: NDArray[np.int32]  # (cells, 2 d), -1 beyond the border
    rank: NDArray[np.int32]  # (d, cells) place of each cell when axis k varies slowest
    smoothness: float
    diversity: float
    penalty_threshold: float
    soft: bool
    sweeps: int
    resolve_duplicates: bool
    tolerance: float  # relative change of the energy below which the sweeps stop
    cap: int  # table entries beyond which a component is left to the second method


class State(NamedTuple):
    """The labeling of every output, as two inputs per cell (the same one twice: a single input), and working space."""

    first: NDArray[np.int32]  # (outputs, cells)
    second: NDArray[np.int32]  # (outputs, cells)
    counts: NDArray[np.int32]  # (outputs, inputs) cells from each input, in halves
    totals: NDArray[np.int32]  # (inputs,) their sum over the outputs
    extra: NDArray[np.float64]  # (outputs, inputs) what resolving duplicates adds to the penalty
    cost: NDArray[np.float64]  # (cells, inputs + MOST_HALVES) costs of the subproblem
    halves: NDArray[np.int32]  # (2, MOST_HALVES) the pairs of the half labels
    vectors: NDArray[np.float64]  # (3, inputs)
    labeling: NDArray[np.int32]  # (2, cells)
    marks: NDArray[np.bool_]  # (max(cells, inputs),)


@kernel
def new_state(group: Group, outputs: int) -> State:
    """Allocate labeling and working space for one group."""
    cells, inputs = group.unary.shape
    return State(
        np.empty((outputs, cells), np.int32),
        np.empty((outputs, cells), np.int32),
        np.empty((outputs, inputs), np.int32),
        np.empty(inputs, np.int32),
        np.empty((outputs, inputs), np.float64),
        np.empty((cells, inputs + MOST_HALVES), np.float64),
        np.empty((2, MOST_HALVES), np.int32),
        np.empty((3, inputs), np.float64),
        np.empty((2, cells), np.int32),
        np.empty(max(cells, inputs), np.bool_),
    )


@kernel
def recount(state: State) -> None:
    """Set the counts from the labeling."""
    fill_rows(state.counts, 0)
    for label in range(state.totals.shape[0]):
        state.totals[label] = 0
    for output in range(state.first.shape[0]):
        for cell in range(state.first.shape[1]):
            first, second = state.first[output, cell], state.second[output, cell]
            state.counts[output, first] += 1
            state.counts[output, second] += 1
            state.totals[first] += 1
            state.totals[second] += 1


@kernel
def _prepare_costs(output: int, use_halves: bool, group: Group, state: State, sub: Subproblem) -> int:
    """Set costs and pairwise costs of the subproblem of one output; return the number of labels."""
    cells, inputs = group.unary.shape
    added = state.vectors[1]
    for label in range(inputs):
        state.vectors[0, label] = 0.5 * (state.totals[label] - state.counts[output, label])
    penalty(state.vectors, group.compatibility, group.penalty_threshold, group.soft)
    for label in range(inputs):
        added[label] = 2.0 * group.diversity * added[label] + state.extra[output, label]
    for cell in range(cells):
        for label in range(inputs):
            state.cost[cell, label] = group.unary[cell, label] + added[label]
    if not use_halves:
        return inputs
    halves = choose_halves(state.counts[output], state.marks, state.halves)
    append_halves(inputs, halves, state.halves, group.smoothness, state.cost, sub.pairwise)
    return inputs + halves


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
def _solve_beyond_cap(output: int, labels: int, cap: int, state: State, sub: Subproblem) -> None:
    """Improve what the programme left undecided by moves, from the better of two starts.

    The starts are the cheapest label of each undecided cell and, where it is among the labels offered, the output's
    present labeling: the result is no worse than either.
    """
    labeling, held, free = state.labeling[0], state.labeling[1], state.marks
    for cell in range(labeling.shape[0]):
        free[cell] = sub.work[COMPONENT, cell] == BEYOND_CAP
    if _find_held(output, labels, state) and (
        labeling_cost(held, state.cost, sub) < labeling_cost(labeling, state.cost, sub)
    ):
        for cell in range(labeling.shape[0]):
            labeling[cell] = held[cell]
            free[cell] = True
    improve_by_expansion(labeling, free, state.cost, labels, cap, sub)


@kernel
def _write_back(output: int, state: State) -> None:
    """Replace the output's labeling and counts by the subproblem's solution, labeling[0]."""
    counts = state.counts[output]
    inputs = counts.shape[0]
    for label in range(inputs):
        state.totals[label] -= counts[label]
        counts[label] = 0
    for cell in range(state.first.shape[1]):
        label = state.labeling[0, cell]
        first = label if label < inputs else state.halves[0, label - inputs]
        second = label if label < inputs else state.halves[1, label - inputs]
        state.first[output, cell] = first
        state.second[output, cell] = second
        counts[first] += 1
        counts[second] += 1
    for label in range(inputs):
        state.totals[label] += counts[label]


@inlined
def solve_output(output: int, use_halves: bool, group: Group, state: State, sub: Subproblem) -> bool:
    """Minimise over one output with the others held; True if the minimum is proven.

    The problem: minimise Σ_s ⟨unary_s + 2γ φ(p), z_s⟩ + β/2 Σ_(s,t) ‖z_s - z_t‖² over z_s in the inputs and the
    half labels offered, p the counts of the other outputs (section 3 of the paper: the modular upper bound).
    """
    labels = _prepare_costs(output, use_halves, group, state, sub)
    fill_domains(state.cost, labels, sub)
    beyond = solve_domains(group.cap, sub)
    copy_row(state.labeling[0], sub.work[LABELING], state.first.shape[1])
    if beyond > 0:
        _solve_beyond_cap(output, labels, group.cap, state, sub)
    _write_back(output, state)
    return beyond == 0
