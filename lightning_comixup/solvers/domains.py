"""The costs of a subproblem: which labels any cell may take, and what each costs at each cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from lightning_comixup.method.problem import HALF_LABEL_BONUS
from lightning_comixup.solvers.compiler.jit import kernel, small
from lightning_comixup.solvers.compiler.lanes import (
    LANES,
    add,
    load,
    lower,
    multiply,
    same,
    store,
    where_above,
)
from lightning_comixup.solvers.diversity import penalty
from lightning_comixup.solvers.group import Group, State
from lightning_comixup.solvers.half_choice import choose_halves
from lightning_comixup.solvers.half_labels import MOST_HALVES, sum_of_inputs
from lightning_comixup.solvers.subproblem import CHOICES, UNDECIDED, Subproblem


@kernel
def survey_unary(group: Group, state: State, sub: Subproblem) -> None:
    """Note the lowest and highest unary of each input, and put its costs into slots."""
    for label in range(group.inputs):
        lowest, highest = np.inf, -np.inf
        for cell in range(group.unary.shape[0]):
            cost = group.unary[cell, label]
            lowest, highest = min(lowest, cost), max(highest, cost)
            sub.unary[label, sub.slot[cell]] = cost
        state.extremes[0, label], state.extremes[1, label] = lowest, highest


@small
def _price_inputs(output: int, group: Group, state: State) -> None:
    """Set what the output pays for each input at every cell: the modular penalty 2γ φ(p), and to resolve duplicates."""
    penalty(output, group, state)
    for at in range(0, state.counts.shape[1], LANES):
        price = multiply(load(state.added, 0, at), same(2.0 * group.diversity))
        store(state.added, 0, at, add(price, load(state.extra, output, at)))


@small
def _is_listed(label: int, places: int, state: State) -> bool:
    for place in range(MOST_HALVES, places):
        if state.candidates[place] == label:
            return True
    return False


@small
def _list_inputs(halves: int, group: Group, state: State) -> int:
    """List the inputs that some cell may take, from place MOST_HALVES on; return the number of places.

    Most inputs are in full use and cost too much everywhere. Those of half labels come first.
    """
    limit = np.inf
    for label in range(group.inputs):
        limit = min(limit, state.extremes[1, label] + state.added[0, label])
    limit += group.smoothness * group.neighbours.shape[1]
    listed = MOST_HALVES
    if halves > 0:
        listed += 2 if halves == 1 else MOST_HALVES
        for place in range(MOST_HALVES, listed):
            state.candidates[place] = state.used[place - MOST_HALVES]
    places = listed
    for label in range(group.inputs):
        is_open = state.extremes[0, label] + state.added[0, label] <= limit
        if is_open and not _is_listed(label, listed, state):
            state.candidates[places] = label
            places += 1
    return places


@small
def _price_places(block: int, first: int, places: int, state: State, sub: Subproblem) -> None:
    """Set the costs in one block: of inputs, and of half labels the mean of their two inputs' less the bonus."""
    for place in range(MOST_HALVES, places):
        label = state.candidates[place]
        store(sub.own, place, block, add(load(sub.unary, label, block), same(state.added[0, label])))
    for half in range(first, MOST_HALVES):
        mean = multiply(sum_of_inputs(sub.own, half, block), same(0.5))
        store(sub.own, half, block, add(mean, same(-HALF_LABEL_BONUS)))


@small
def _open_edges(block: int, sub: Subproblem) -> Any:
    """Let all edges still have to be paid for; return how many each cell has."""
    edges = same(0.0)
    for direction in range(sub.link.shape[0]):
        exists = load(sub.edges, direction, block)
        store(sub.link, direction, block, exists)
        edges = add(edges, exists)
    return edges


@small
def _bound_places(block: int, first: int, places: int, sub: Subproblem) -> None:
    """Rule out what costs more than the cheapest place by more than a cell's edges can make up for.

    Along each edge the cheapest costs at most the smoothness weight more than any other, whatever the neighbours take
    (½‖z - z'‖² lies in [0, 1]).
    """
    edges = _open_edges(block, sub)
    cheapest = same(np.inf)
    for place in range(first, places):
        cheapest = lower(cheapest, load(sub.own, place, block))
    limit = add(cheapest, multiply(edges, same(sub.smoothness)))
    is_cell = load(sub.marks, UNDECIDED, block)
    left = same(0.0)
    for place in range(first, places):
        own = load(sub.own, place, block)
        held = where_above(own, limit, same(0.0), is_cell)
        left = add(left, held)
        store(sub.own, place, block, where_above(own, limit, same(np.inf), own))
        store(sub.held, place, block, held)
    store(sub.marks, CHOICES, block, left)


@kernel
def fill_costs(output: int, use_halves: bool, group: Group, state: State, sub: Subproblem) -> tuple[int, int]:
    """State the subproblem of an output; return its first place and the one after its last.

    `State.candidates` then has the input of each place from MOST_HALVES on, `State.halves` those of the places before.
    """
    _price_inputs(output, group, state)
    halves = choose_halves(output, state) if use_halves else 0
    first, places = MOST_HALVES - halves, _list_inputs(halves, group, state)
    for cell in range(sub.slot.shape[0]):
        sub.marks[UNDECIDED, sub.slot[cell]] = 1.0
    for index in range(sub.blocks.shape[0]):
        block = sub.blocks[index]
        _price_places(block, first, places, state, sub)
        _bound_places(block, first, places, sub)
    sub.settled[0] = 0.0
    return first, places
