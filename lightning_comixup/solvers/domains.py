"""The costs of a subproblem's labels, and which of them each cell may take at all."""

from __future__ import annotations

import numpy as np

from lightning_comixup.problem import HALF_LABEL_BONUS
from lightning_comixup.solvers.diversity import penalty
from lightning_comixup.solvers.group import Group, State
from lightning_comixup.solvers.half_labels import choose_halves, relate_labels
from lightning_comixup.solvers.jit import kernel, small
from lightning_comixup.solvers.subproblem import Subproblem, add_label, clear_domain

# Row of `State.vectors` that holds what an output pays for each input at every cell.
_ADDED = 1


@kernel
def price_labels(output: int, use_halves: bool, group: Group, state: State, sub: Subproblem) -> int:
    """Set what an output pays for each input, choose its half labels and return the number of labels."""
    inputs = group.unary.shape[1]
    for label in range(inputs):
        state.vectors[0, label] = 0.5 * (state.totals[label] - state.counts[output, label])
    penalty(inputs, state.vectors, group.spread, group.penalty_threshold, group.soft)
    for label in range(inputs):
        state.vectors[_ADDED, label] = 2.0 * group.diversity * state.vectors[_ADDED, label] + state.extra[output, label]
    halves = choose_halves(output, state.counts, state.marks, state.halves) if use_halves else 0
    relate_labels(inputs, halves, state.halves, group.smoothness, sub.pairwise, sub.kind)
    return inputs + halves


@small
def _label_cost(cell: int, label: int, group: Group, state: State) -> float:
    """Return what a label costs at a cell: a half label the mean of its two inputs, less the bonus."""
    inputs = group.unary.shape[1]
    if label < inputs:
        return group.unary[cell, label] + state.vectors[_ADDED, label]
    first, second = state.halves[0, label - inputs], state.halves[1, label - inputs]
    cost = group.unary[cell, first] + state.vectors[_ADDED, first]
    return 0.5 * (cost + (group.unary[cell, second] + state.vectors[_ADDED, second])) - HALF_LABEL_BONUS


@kernel
def fill_costs(labels: int, group: Group, state: State) -> None:
    """Write the cost of every label at every cell."""
    for cell in range(group.unary.shape[0]):
        for label in range(labels):
            state.cost[cell, label] = _label_cost(cell, label, group, state)


@small
def _lowest_cost(label: int, group: Group, state: State) -> float:
    """Return a bound below what a label costs at any cell."""
    inputs = group.unary.shape[1]
    if label < inputs:
        return state.extremes[0, label] + state.vectors[_ADDED, label]
    first, second = state.halves[0, label - inputs], state.halves[1, label - inputs]
    cost = state.extremes[0, first] + state.vectors[_ADDED, first]
    return 0.5 * (cost + (state.extremes[0, second] + state.vectors[_ADDED, second])) - HALF_LABEL_BONUS


@small
def _list_candidates(labels: int, group: Group, state: State) -> int:
    """List the labels that some cell may take: most inputs are in full use and cost too much everywhere."""
    limit = np.inf
    for label in range(group.unary.shape[1]):
        limit = min(limit, state.extremes[1, label] + state.vectors[_ADDED, label])
    limit += group.smoothness * group.neighbours.shape[1]
    size = 0
    for label in range(labels):
        if _lowest_cost(label, group, state) <= limit:
            state.candidates[size] = label
            size += 1
    return size


@kernel
def fill_domains(labels: int, group: Group, state: State, sub: Subproblem) -> None:
    """Keep, at every cell, the labels within `reach` of the cheapest.

    Along each edge the cheapest label costs at most the smoothness weight more than any other, whatever the neighbours
    take (½‖z - z'‖² lies in [0, 1]), so a label beyond that bound is never part of an optimal labeling.
    """
    candidates = _list_candidates(labels, group, state)
    for cell in range(group.unary.shape[0]):
        lowest = np.inf
        for index in range(candidates):
            cost = _label_cost(cell, state.candidates[index], group, state)
            state.vectors[2, index] = cost
            lowest = min(lowest, cost)
        bound = lowest + sub.reach[cell]
        clear_domain(cell, sub)
        for index in range(candidates):
            if state.vectors[2, index] <= bound:
                add_label(cell, state.candidates[index], state.vectors[2, index], sub)
        if sub.alive[cell] == 0:  # only where costs are NaN
            add_label(cell, 0, 0.0, sub)
