"""The costs of a subproblem: which labels any cell may take, and what each costs at each cell."""

from __future__ import annotations

import numpy as np

from lightning_comixup.problem import HALF_LABEL_BONUS
from lightning_comixup.solvers.compiler.jit import kernel, small
from lightning_comixup.solvers.compiler.lanes import (
    LANES,
    count_below,
    load,
    lower,
    lowest,
    padded,
    same,
    store,
    where_above,
)
from lightning_comixup.solvers.diversity import penalty
from lightning_comixup.solvers.group import Group, State
from lightning_comixup.solvers.half_labels import HALF_TO_INPUT, HALF_TO_OTHER, MOST_HALVES, choose_halves
from lightning_comixup.solvers.subproblem import CHOICES, Subproblem


@kernel
def set_extremes(group: Group, state: State) -> None:
    """Note the lowest and highest unary of each input."""
    for label in range(group.inputs):
        lowest, highest = np.inf, -np.inf
        for cell in range(group.unary.shape[0]):
            lowest, highest = min(lowest, group.unary[cell, label]), max(highest, group.unary[cell, label])
        state.extremes[0, label], state.extremes[1, label] = lowest, highest


@small
def _price_inputs(output: int, group: Group, state: State) -> None:
    """Set what the output pays for each input at every cell: the modular penalty 2γ φ(p), and to resolve duplicates."""
    penalty(output, group, state)
    for label in range(group.inputs):
        state.added[0, label] = 2.0 * group.diversity * state.added[0, label] + state.extra[output, label]


@small
def _list_inputs(group: Group, state: State) -> int:
    """List the inputs that some cell may take, from place MOST_HALVES on; return the number of places.

    Most inputs are in full use and cost too much everywhere.
    """
    limit = np.inf
    for label in range(group.inputs):
        limit = min(limit, state.extremes[1, label] + state.added[0, label])
    limit += group.smoothness * group.neighbours.shape[1]
    places = MOST_HALVES
    for label in range(group.inputs):
        if state.extremes[0, label] + state.added[0, label] <= limit:
            state.candidates[places] = label
            places += 1
    return places


@small
def _place_of(label: int, places: int, state: State) -> int:
    for place in range(MOST_HALVES, places):
        if state.candidates[place] == label:
            return place
    return -1


@small
def _relate_halves(halves: int, places: int, state: State, sub: Subproblem) -> None:
    """Note the places of the half labels' inputs, and set their pairwise costs in place of the last output's."""
    for half in range(MOST_HALVES):
        for side in range(2):
            place = sub.constituents[side, half]
            if place >= 0:
                sub.pairwise[half, place] = HALF_TO_OTHER * sub.smoothness
                sub.pairwise[place, half] = HALF_TO_OTHER * sub.smoothness
            sub.constituents[side, half] = -1
    for half in range(halves):
        for side in range(2):
            place = _place_of(state.halves[side, half], places, state)
            sub.constituents[side, half] = place
            if place >= 0:
                sub.pairwise[half, place] = HALF_TO_INPUT * sub.smoothness
                sub.pairwise[place, half] = HALF_TO_INPUT * sub.smoothness


@small
def _half_cost(cell: int, half: int, group: Group, state: State) -> float:
    """Return what a half label costs at a cell: the mean of its two inputs, less the bonus."""
    first, second = state.halves[0, half], state.halves[1, half]
    cost = group.unary[cell, first] + state.added[0, first]
    return 0.5 * (cost + (group.unary[cell, second] + state.added[0, second])) - HALF_LABEL_BONUS


@small
def _bound_places(cell: int, width: int, group: Group, sub: Subproblem) -> None:
    """Rule out what costs more than the cheapest place by more than the cell's edges can make up for.

    Along each edge the cheapest costs at most the smoothness weight more than any other, whatever the neighbours take
    (½‖z - z'‖² lies in [0, 1]).
    """
    edges = 0.0
    for direction in range(group.neighbours.shape[1]):
        neighbour = group.neighbours[cell, direction]
        sub.link[cell, direction] = neighbour
        edges += 1.0 if neighbour >= 0 else 0.0
    cheapest = same(np.inf)
    for at in range(0, width, LANES):
        cheapest = lower(cheapest, load(sub.own, cell, at))
    bound = same(lowest(cheapest) + edges * sub.smoothness)
    left = 0
    for at in range(0, width, LANES):
        own = load(sub.own, cell, at)
        own = where_above(own, bound, same(np.inf), own)
        store(sub.own, cell, at, own)
        store(sub.held, cell, at, where_above(own, bound, same(0.0), same(1.0)))
        left += count_below(own, np.inf)
    sub.work[CHOICES, cell] = left


@kernel
def fill_costs(output: int, use_halves: bool, group: Group, state: State, sub: Subproblem) -> int:
    """State the subproblem of an output; return the number of places.

    `State.candidates` then has the input of each place from MOST_HALVES on, `State.halves` those of the places before.
    """
    _price_inputs(output, group, state)
    places = _list_inputs(group, state)
    halves = choose_halves(output, state.counts, state.marks, state.halves) if use_halves else 0
    _relate_halves(halves, places, state, sub)
    for cell in range(group.unary.shape[0]):
        for half in range(MOST_HALVES):
            sub.own[cell, half] = _half_cost(cell, half, group, state) if half < halves else np.inf
        for place in range(MOST_HALVES, places):
            label = state.candidates[place]
            sub.own[cell, place] = group.unary[cell, label] + state.added[0, label]
        for place in range(places, padded(places)):
            sub.own[cell, place] = np.inf
        _bound_places(cell, padded(places), group, sub)
    return places
