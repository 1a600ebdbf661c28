"""Messages between cells: a lower bound on every labeling, and labelings that reach it.

Tree-reweighted message passing in a sequence (Kolmogorov, PAMI 2006): cell by cell, forth and back, each edge's costs
are shared out to its two cells (a reparametrisation: what a labeling costs stays the same), such that the sum of the
cells' minima, a lower bound, rises. On these grids it nearly always rises to the minimum, which a labeling read off
on the way attains: then that labeling is optimal.
"""

from __future__ import annotations

import numpy as np

from lightning_comixup.solvers.compiler.jit import kernel, small
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
from lightning_comixup.solvers.half_labels import HALF_TO_HALF, HALF_TO_INPUT, HALF_TO_OTHER, MOST_HALVES
from lightning_comixup.solvers.subproblem import CHOICES, ORDER, PLACE, TRIAL_PLACE, Subproblem, find_lowest

# A place is ruled out, or a labeling taken as the minimum, with this margin for rounding: relative to the cost, but at
# least absolute, which suits costs that are shares of one.
_MARGIN = 1e-12
# Rows of `Subproblem.rows`: a cell's costs with all messages, less their minimum; and working space.
_SHARE, _REST = np.int64(0), np.int64(1)


@small
def _is_ahead(cell: int, neighbour: int, backwards: bool) -> bool:
    return (neighbour < cell) if backwards else (neighbour > cell)


@small
def _chains_through(cell: int, backwards: bool, sub: Subproblem) -> int:
    """Return the number of monotonic chains through a cell, among which its cost is divided."""
    ahead, behind = 0, 0
    for direction in range(sub.link.shape[1]):
        neighbour = sub.link[cell, direction]
        if neighbour >= 0:
            if _is_ahead(cell, neighbour, backwards):
                ahead += 1
            else:
                behind += 1
    return max(ahead, behind, 1)


@small
def _gather(cell: int, slack: float, width: int, sub: Subproblem) -> float:
    """Set the share row and return the minimum taken from it; rule out the places that exceed it by more than `slack`.

    With L the bound before, no labeling with such a place costs less than L + `slack`.
    """
    cheapest = same(np.inf)
    directions = sub.link.shape[1]
    for at in range(0, width, LANES):
        share = load(sub.own, cell, at)
        for direction in range(directions):
            share = add(share, load(sub.message, cell * directions + direction, at))
        store(sub.rows, _SHARE, at, share)
        cheapest = lower(cheapest, share)
    least = lowest(cheapest)
    for at in range(0, width, LANES):
        share = subtract(load(sub.rows, _SHARE, at), same(least))
        store(sub.rows, _SHARE, at, share)
        store(sub.own, cell, at, where_above(share, same(slack), same(np.inf), load(sub.own, cell, at)))
    return least


@small
def _take_cheapest(cell: int, backwards: bool, width: int, sub: Subproblem) -> None:
    """Let the cell take what is cheapest given the cells passed, by the messages of those ahead."""
    directions = sub.link.shape[1]
    for at in range(0, width, LANES):
        cost = load(sub.own, cell, at)
        for direction in range(directions):
            neighbour = sub.link[cell, direction]
            if neighbour >= 0:
                if _is_ahead(cell, neighbour, backwards):
                    cost = add(cost, load(sub.message, cell * directions + direction, at))
                else:
                    cost = add(cost, load(sub.pairwise, sub.work[TRIAL_PLACE, neighbour], at))
        store(sub.rows, _REST, at, cost)
    sub.work[TRIAL_PLACE, cell] = find_lowest(sub.rows, _REST, width)


@small
def _send_halves(target: int, least: float, least_half: float, sub: Subproblem) -> None:
    """Correct a message by the edges between half labels, and between them and their inputs."""
    rest = sub.rows[_REST]
    to_half = min(least + HALF_TO_OTHER * sub.smoothness, least_half + HALF_TO_HALF * sub.smoothness)
    for half in range(MOST_HALVES):
        sub.message[target, half] = min(rest[half], to_half)
        for side in range(2):
            place = sub.constituents[side, half]
            if place >= 0:
                to_input, from_input = rest[half] + HALF_TO_INPUT * sub.smoothness, rest[place]
                sub.message[target, place] = min(sub.message[target, place], to_input)
                from_input += HALF_TO_INPUT * sub.smoothness
                sub.message[target, half] = min(sub.message[target, half], from_input)


@small
def _send(cell: int, direction: int, weight: float, halves: bool, width: int, sub: Subproblem) -> None:
    """Send a message: for each place of the neighbour the cheapest share of this cell, with the edge between them.

    Inputs are equally far from each other, so that one minimum serves them all; so do half labels, but for each other
    and their own inputs.
    """
    directions = sub.link.shape[1]
    came, target = cell * directions + direction, sub.link[cell, direction] * directions + (direction ^ 1)
    cheapest = same(np.inf)
    for at in range(0, width, LANES):
        rest = subtract(multiply(load(sub.rows, _SHARE, at), same(weight)), load(sub.message, came, at))
        store(sub.rows, _REST, at, rest)
        cheapest = lower(cheapest, rest)
    least, least_half = lowest(cheapest), np.inf
    if halves:
        for half in range(MOST_HALVES):
            least_half = min(least_half, sub.rows[_REST, half])
    # `least` may be that of a half label, from where it is less far than this: then the second is lower.
    to_input = same(min(least + sub.smoothness, least_half + HALF_TO_OTHER * sub.smoothness))
    for at in range(0, width, LANES):
        store(sub.message, target, at, lower(load(sub.rows, _REST, at), to_input))
    if halves:
        _send_halves(target, least, least_half, sub)


@kernel
def pass_messages(active: int, backwards: bool, slack: float, halves: bool, width: int, sub: Subproblem) -> float:
    """Pass messages over the cells in work[ORDER] once, and leave a labeling in work[TRIAL_PLACE]; return the bound."""
    bound = 0.0
    for index in range(active):
        cell = sub.work[ORDER, active - 1 - index if backwards else index]
        bound += _gather(cell, slack, width, sub)
        _take_cheapest(cell, backwards, width, sub)
        weight = 1.0 / _chains_through(cell, backwards, sub)
        for direction in range(sub.link.shape[1]):
            neighbour = sub.link[cell, direction]
            if neighbour >= 0 and _is_ahead(cell, neighbour, backwards):
                _send(cell, direction, weight, halves, width, sub)
    return bound


@small
def _trial_cost(active: int, sub: Subproblem) -> float:
    """Return Σ_s own[s, l_s] + Σ_(s,t) pairwise[l_s, l_t] of the active cells, l in work[TRIAL_PLACE]."""
    cost = 0.0
    for index in range(active):
        cell = sub.work[ORDER, index]
        place = sub.work[TRIAL_PLACE, cell]
        cost += sub.own[cell, place]
        for direction in range(1, sub.link.shape[1], 2):
            neighbour = sub.link[cell, direction]
            if neighbour >= 0:
                cost += sub.pairwise[place, sub.work[TRIAL_PLACE, neighbour]]
    return cost


@small
def _list_active(width: int, sub: Subproblem) -> int:
    """List the cells that are not settled in work[ORDER], clear their messages, and return their number."""
    active, directions = 0, sub.link.shape[1]
    for cell in range(sub.own.shape[0]):
        if sub.work[CHOICES, cell] > 1:
            sub.work[ORDER, active] = cell
            active += 1
            for direction in range(directions):
                for at in range(0, width, LANES):
                    store(sub.message, cell * directions + direction, at, same(0.0))
    return active


@small
def _lowest_own(active: int, width: int, sub: Subproblem) -> float:
    """Return the sum of the cells' cheapest own costs: a bound, since edges cost at least nothing."""
    bound = 0.0
    for index in range(active):
        cell = sub.work[ORDER, index]
        bound += sub.own[cell, find_lowest(sub.own, cell, width)]
    return bound


@kernel
def close_gap(passes: int, again: bool, halves: bool, width: int, sub: Subproblem) -> bool:
    """Pass messages until a labeling is proven to be the cheapest; False if it still is not after some passes.

    The cheapest labeling found is left in work[PLACE], which with `again` already holds one. The places that were ruled
    out, which are in no optimal labeling, cost infinity afterwards.
    """
    active = _list_active(width, sub)
    cost, bound = np.inf, _lowest_own(active, width, sub)
    if again:
        for index in range(active):
            cell = sub.work[ORDER, index]
            sub.work[TRIAL_PLACE, cell] = sub.work[PLACE, cell]
        cost = _trial_cost(active, sub)
    margin = _MARGIN * max(1.0, abs(bound))
    for step in range(passes):
        reached = pass_messages(active, step % 2 == 1, cost - bound + margin, halves, width, sub)
        bound = max(bound, reached)
        reached = _trial_cost(active, sub)
        if reached < cost:
            cost = reached
            for index in range(active):
                cell = sub.work[ORDER, index]
                sub.work[PLACE, cell] = sub.work[TRIAL_PLACE, cell]
        if cost - bound <= margin:
            return True
    return False
