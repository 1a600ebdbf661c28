"""Settling: moves of single cells, each of which lowers the energy.

A step of the descent replaces the diversity term by a modular bound: it does not see that taking more of an input can
push what *other* outputs pay for it over the threshold. A move of one cell can be priced with the term itself, so that
the threshold acts as what it is, a capacity of each input: cells move to where there is room.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lightning_comixup.solvers.compiler.jit import inlined, kernel, small
from lightning_comixup.solvers.compiler.lanes import (
    LANES,
    add,
    load,
    lower,
    lowest,
    multiply,
    same,
    store,
    subtract,
    where_above,
)
from lightning_comixup.solvers.counts import count_cell
from lightning_comixup.solvers.diversity import diversity_energy, spread_output
from lightning_comixup.solvers.group import Group, State
from lightning_comixup.solvers.half_labels import HALF_TO_OTHER, half_square_distance
from lightning_comixup.solvers.loops import find_lowest
from lightning_comixup.solvers.shares import LIMIT, PRICE, set_limits, share_cost

# Rounds of moves over all cells. Heuristic: the third is mostly the last that finds any.
_ROUNDS = 4
# A gain below this is rounding (energies are of order one and more).
_LEAST_GAIN = 1e-9
# Rows of `State.moves`. How the diversity term changes when all outputs together use a whole cell more of an input, a
# whole cell less, or half a cell less; when the output at hand takes a whole cell more; the costs of a cell's moves.
_MORE, _LESS, _HALF_LESS, _TAKE, _COST = 2, 3, 4, 5, np.int64(6)


@small
def _paid(count: Any, total: Any, at: int, group: Group, state: State) -> Any:
    """Return in lanes what an output pays for its share, but for the price: see `shares.share_cost`."""
    others = subtract(total, count)
    over = subtract(others, load(state.moves, LIMIT, at))
    return where_above(over, same(0.0), multiply(count, over if group.soft else others), same(0.0))


@small
def _price_totals(at: int, group: Group, state: State) -> None:
    """Sum up over the outputs how what they pay changes with the totals of the inputs in the lanes."""
    totals = load(state.totals, 0, at)
    more_total, less_total, half_less_total = (
        add(totals, same(1.0)),
        subtract(totals, same(1.0)),
        subtract(totals, same(0.5)),
    )
    now, more, less, half_less = same(0.0), same(0.0), same(0.0), same(0.0)
    for output in range(state.counts.shape[0]):
        count = load(state.counts, output, at)
        now = add(now, _paid(count, totals, at, group, state))
        more = add(more, _paid(count, more_total, at, group, state))
        less = add(less, _paid(count, less_total, at, group, state))
        half_less = add(half_less, _paid(count, half_less_total, at, group, state))
    price = load(state.moves, PRICE, at)
    store(state.moves, _MORE, at, multiply(price, subtract(more, now)))
    store(state.moves, _LESS, at, multiply(price, subtract(less, now)))
    store(state.moves, _HALF_LESS, at, multiply(price, subtract(half_less, now)))


@small
def _price_takes(output: int, at: int, group: Group, state: State) -> None:
    """Set what it costs in diversity that the output takes a cell more of each of the inputs in the lanes."""
    count, totals = load(state.counts, output, at), add(load(state.totals, 0, at), same(1.0))
    after = _paid(add(count, same(1.0)), totals, at, group, state)
    change = subtract(after, _paid(count, totals, at, group, state))
    own = add(multiply(load(state.moves, PRICE, at), change), load(state.extra, output, at))
    store(state.moves, _TAKE, at, add(load(state.moves, _MORE, at), own))


@small
def _price_give(output: int, label: int, cells: float, group: Group, state: State) -> float:
    """Return what it costs in diversity that the output takes a cell, or half a cell, less of an input."""
    count, total = state.counts[output, label], state.totals[0, label] - cells
    change = share_cost(count - cells, total, label, group, state) - share_cost(count, total, label, group, state)
    return state.moves[_LESS if cells == 1.0 else _HALF_LESS, label] + change - cells * state.extra[output, label]


class _Edges(NamedTuple):
    """The edges of a cell as it is."""

    excess: float  # what they cost more than if the cell held what no neighbour holds
    others: int  # neighbours that hold something else


@small
def _survey_edges(output: int, cell: int, group: Group, state: State) -> _Edges:
    first, second = state.first[output, cell], state.second[output, cell]
    excess, others = 0.0, 0
    for direction in range(group.neighbours.shape[1]):
        beside = group.neighbours[cell, direction]
        if beside >= 0:
            third, fourth = state.first[output, beside], state.second[output, beside]
            # How far the neighbour is from an input that it does not hold.
            far = 1.0 if third == fourth else HALF_TO_OTHER
            excess += half_square_distance(first, second, third, fourth) - far
            others += 1 if third != first or fourth != second else 0
    return _Edges(group.smoothness * excess, others)


@small
def _save_edges(output: int, cell: int, group: Group, state: State) -> None:
    """Take from each input's cost in the row what it saves along the edges."""
    for direction in range(group.neighbours.shape[1]):
        beside = group.neighbours[cell, direction]
        if beside >= 0:
            state.moves[_COST, state.first[output, beside]] -= 0.5 * group.smoothness
            state.moves[_COST, state.second[output, beside]] -= 0.5 * group.smoothness


@small
def _price_hold(output: int, cell: int, group: Group, state: State) -> float:
    """Return what a cell would save in unary and diversity if it gave up what it holds."""
    first, second = state.first[output, cell], state.second[output, cell]
    own = 0.5 * (group.unary[cell, first] + group.unary[cell, second])
    if first == second:
        return own - _price_give(output, first, 1.0, group, state)
    return own - (_price_give(output, first, 0.5, group, state) + _price_give(output, second, 0.5, group, state))


@small
def _find_move(output: int, cell: int, group: Group, state: State) -> int:
    """Return the input that would lower the energy most if the cell took it; -1 if none would."""
    edges = _survey_edges(output, cell, group, state)
    held = _price_hold(output, cell, group, state) + edges.excess - _LEAST_GAIN
    cheapest = same(np.inf)
    for at in range(0, state.counts.shape[1], LANES):
        cheapest = lower(cheapest, add(load(group.unary, cell, at), load(state.moves, _TAKE, at)))
    # An edge to what the cell holds itself saves nothing, any other at most all of its cost.
    if lowest(cheapest) - group.smoothness * edges.others >= held:
        return -1
    for at in range(0, state.counts.shape[1], LANES):
        store(state.moves, _COST, at, add(load(group.unary, cell, at), load(state.moves, _TAKE, at)))
    _save_edges(output, cell, group, state)
    # Taking more of what the cell holds changes no count, or half a cell: not priced.
    state.moves[_COST, state.first[output, cell]] = np.inf
    state.moves[_COST, state.second[output, cell]] = np.inf
    best = find_lowest(state.moves, _COST, state.counts.shape[1])
    return best if state.moves[_COST, best] < held else -1


@small
def _cell_energy(output: int, cell: int, group: Group, state: State) -> float:
    """Return unary, smoothness and the cost of being a duplicate of one cell of an output, with all its edges."""
    first, second = state.first[output, cell], state.second[output, cell]
    edges = 0.0
    for direction in range(group.neighbours.shape[1]):
        beside = group.neighbours[cell, direction]
        if beside >= 0:
            edges += half_square_distance(first, second, state.first[output, beside], state.second[output, beside])
    own = group.unary[cell, first] + group.unary[cell, second]
    return 0.5 * (own + state.extra[output, first] + state.extra[output, second]) + group.smoothness * edges


@kernel
def _hold(output: int, cell: int, first: int, second: int, group: Group, state: State) -> None:
    """Let a cell hold two inputs, and price anew what that changes."""
    before, before_second = state.first[output, cell], state.second[output, cell]
    count_cell(output, cell, -1.0, state)
    state.first[output, cell], state.second[output, cell] = first, second
    count_cell(output, cell, 1.0, state)
    spread_output(output, group, state)
    for at in range(0, state.counts.shape[1], LANES):
        end = at + LANES
        if at <= before < end or at <= before_second < end or at <= first < end or at <= second < end:
            _price_totals(at, group, state)
            _price_takes(output, at, group, state)


@small
def _move(output: int, cell: int, label: int, group: Group, state: State) -> bool:
    """Let a cell take an input unless the exact energy forbids it."""
    first, second = state.first[output, cell], state.second[output, cell]
    before = _cell_energy(output, cell, group, state) + state.diversity[0]
    _hold(output, cell, label, label, group, state)
    reached = diversity_energy(group, state)
    if _cell_energy(output, cell, group, state) + reached < before - _LEAST_GAIN:
        state.diversity[0] = reached
        return True
    _hold(output, cell, first, second, group, state)
    return False


@kernel
def _move_cells(group: Group, state: State) -> bool:
    """Move every cell once where that lowers the energy; False if it does nowhere."""
    moved = False
    for output in range(state.first.shape[0]):
        for at in range(0, state.counts.shape[1], LANES):
            _price_takes(output, at, group, state)
        for cell in range(state.first.shape[1]):
            label = _find_move(output, cell, group, state)
            if label >= 0:
                moved = _move(output, cell, label, group, state) or moved
    return moved


@inlined
def settle(group: Group, state: State) -> None:
    """Lower the energy by a few rounds of moves of single cells; `state.diversity` must be up to date."""
    set_limits(group, state)
    for at in range(0, state.counts.shape[1], LANES):
        _price_totals(at, group, state)
    for _ in range(_ROUNDS):
        if not _move_cells(group, state):
            break
