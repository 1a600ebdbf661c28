"""Messages between cells: a lower bound on every labeling, and labelings that reach it.

Tree-reweighted message passing in a sequence (Kolmogorov, PAMI 2006): cell by cell, forth and back, each edge's costs
are shared out to its two cells (a reparametrisation: what a labeling costs stays the same), such that the sum of the
cells' minima, a lower bound, rises. The cells of one diagonal pass theirs at the same time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lightning_comixup.solvers.compiler.jit import kernel, small
from lightning_comixup.solvers.compiler.lanes import (
    add,
    divide,
    load,
    lower,
    multiply,
    same,
    store,
    subtract,
    total,
    where_above,
)
from lightning_comixup.solvers.half_labels import (
    HALF_INPUTS,
    HALF_NEARER,
    HALF_TO_HALF,
    HALF_TO_INPUT,
    HALF_TO_OTHER,
    MOST_HALVES,
    add_to_inputs,
)
from lightning_comixup.solvers.subproblem import BLOCKS, FAR, PLANAR, TRIAL_PLACE, UNDECIDED, Subproblem

# A literal is a type of its own, for which Numba would compile callees once more.
_FAR: Any = np.int64(FAR)


class Gap(NamedTuple):
    """Between which costs the minimum lies."""

    cost: float  # of a labeling
    bound: float


@small
def _links(block: int, start: int, sub: Subproblem) -> Any:
    """Return the number of neighbours in every second direction."""
    links = same(0.0)
    for direction in range(start, sub.link.shape[0], 2):
        links = add(links, load(sub.link, direction, block))
    return links


@small
def _sum_messages(place: int, block: int, sub: Subproblem) -> Any:
    """Return what a place costs, with all messages."""
    size, cost = sub.own.shape[0], load(sub.own, place, block)
    if sub.link.shape[0] == PLANAR:  # without a loop twice as fast
        first = add(load(sub.message, place, block), load(sub.message, size + place, block))
        second = add(load(sub.message, 2 * size + place, block), load(sub.message, 3 * size + place, block))
        return add(cost, add(first, second))
    for direction in range(sub.link.shape[0]):
        cost = add(cost, load(sub.message, direction * size + place, block))
    return cost


@small
def _gather(block: int, slack: float, first: int, places: int, sub: Subproblem) -> Any:
    """Set in the working rows what each place costs with all messages, its share; return the cells' lowest shares.

    Places that exceed these by more than `slack` are ruled out: with L the bound before, no labeling with such a place
    costs less than L + `slack`.
    """
    cheapest = same(np.inf)
    for place in range(first, places):
        share = _sum_messages(place, block, sub)
        store(sub.rows, place, 0, share)
        cheapest = lower(cheapest, share)
    if slack < np.inf:
        limit = add(cheapest, same(slack))
        for place in range(first, places):
            own = load(sub.own, place, block)
            store(sub.own, place, block, where_above(load(sub.rows, place, 0), limit, same(np.inf), own))
    return cheapest


@small
def _sum_behind(rows: Any, row: int, block: int, ahead: int, sub: Subproblem) -> Any:
    """Return the sum of a row of numbers over the neighbours passed."""
    if sub.link.shape[0] == PLANAR:
        one, other = (sub.offset[0], sub.offset[2]) if ahead == 1 else (sub.offset[1], sub.offset[3])
        return add(load(rows, row, block + one), load(rows, row, block + other))
    numbers = same(0.0)
    for direction in range(1 - ahead, sub.link.shape[0], 2):
        numbers = add(numbers, load(rows, row, block + sub.offset[direction]))
    return numbers


@small
def _messages_ahead(place: int, block: int, ahead: int, sub: Subproblem) -> Any:
    """Return the sum of the messages of cells still to come."""
    size = sub.own.shape[0]
    if sub.link.shape[0] == PLANAR:
        row = ahead * size + place
        return add(load(sub.message, row, block), load(sub.message, row + 2 * size, block))
    messages = same(0.0)
    for direction in range(ahead, sub.link.shape[0], 2):
        messages = add(messages, load(sub.message, direction * size + place, block))
    return messages


@small
def _take_cheapest(block: int, ahead: int, first: int, places: int, sub: Subproblem) -> Any:
    """Let cells take what is cheapest given the cells passed, by the messages of those ahead; return what it costs.

    Each axis has two directions, to the diagonals before and after; the first of those ahead is `ahead`.
    """
    far, behind = _sum_behind(sub.marks, _FAR, block, ahead, sub), _links(block, 1 - ahead, sub)
    far_half, smoothness = subtract(far, multiply(behind, same(HALF_NEARER))), same(sub.smoothness)
    lowest, cost, taken = same(np.inf), same(0.0), same(0.0)
    for place in range(first, places):
        if place < MOST_HALVES:
            one, other = MOST_HALVES + HALF_INPUTS[place][0], MOST_HALVES + HALF_INPUTS[place][1]
            both = add(_sum_behind(sub.taken, one, block, ahead, sub), _sum_behind(sub.taken, other, block, ahead, sub))
            distance = subtract(far_half, multiply(both, same(0.5)))
        else:
            distance = subtract(far, _sum_behind(sub.taken, place, block, ahead, sub))
        paid = add(load(sub.own, place, block), multiply(distance, smoothness))
        expected = add(paid, _messages_ahead(place, block, ahead, sub))
        taken = where_above(lowest, expected, same(float(place)), taken)
        cost = where_above(lowest, expected, paid, cost)
        lowest = lower(lowest, expected)
    store(sub.marks, TRIAL_PLACE, block, taken)
    return cost


@small
def _hold(block: int, first: int, places: int, sub: Subproblem) -> None:
    """Note the shares of the inputs in what the undecided cells take, and how far that is from other inputs."""
    undecided, taken = load(sub.marks, UNDECIDED, block), load(sub.marks, TRIAL_PLACE, block)
    for place in range(MOST_HALVES, places):
        store(sub.taken, place, block, _where_same(taken, place, undecided))
    far = undecided
    for half in range(first, MOST_HALVES):
        share = multiply(_where_same(taken, half, undecided), same(0.5))
        far = subtract(far, multiply(share, same(2.0 * HALF_NEARER)))
        add_to_inputs(sub.taken, half, block, share)
    store(sub.marks, FAR, block, far)


@small
def _where_same(taken: Any, place: int, then: Any) -> Any:
    """Return `then` in the lanes that take a place, zero in others."""
    nothing = same(0.0)
    not_below = where_above(taken, same(place - 0.5), then, nothing)
    return where_above(taken, same(place + 0.5), nothing, not_below)


@small
def _send(block: int, direction: int, weight: Any, first: int, places: int, sub: Subproblem) -> None:
    """Send messages: for each place of the neighbours the cheapest share of these cells, with the edge between them.

    Inputs are equally far from each other, so that one minimum serves them all; so do half labels, but for each other
    and their own inputs.
    """
    size, smoothness = sub.own.shape[0], sub.smoothness
    least, least_half = same(np.inf), same(np.inf)
    for place in range(first, places):
        share, came = load(sub.rows, place, 0), load(sub.message, direction * size + place, block)
        rest = subtract(multiply(share, weight), came)
        store(sub.rows, size + place, 0, rest)
        least = lower(least, rest)
        if place < MOST_HALVES:
            least_half = lower(least_half, rest)
    # `least` may be that of a half label, from where it is less far than this: then the second is lower.
    to_input = lower(add(least, same(smoothness)), add(least_half, same(HALF_TO_OTHER * smoothness)))
    link, beside, rows = load(sub.link, direction, block), block + sub.offset[direction], (direction ^ 1) * size
    for place in range(MOST_HALVES, places):
        message = lower(load(sub.rows, size + place, 0), to_input)
        store(sub.message, rows + place, beside, where_above(link, same(0.0), message, same(0.0)))
    if first < MOST_HALVES:
        to_half = lower(add(least, same(HALF_TO_OTHER * smoothness)), add(least_half, same(HALF_TO_HALF * smoothness)))
        _send_halves(rows, beside, link, to_half, first, sub)


@small
def _send_halves(rows: int, beside: int, link: Any, to_half: Any, first: int, sub: Subproblem) -> None:
    """Send what half labels get, and what their inputs get from them."""
    size, nothing, nearer = sub.own.shape[0], same(0.0), same(HALF_TO_INPUT * sub.smoothness)
    for half in range(first, MOST_HALVES):
        rest = load(sub.rows, size + half, 0)
        message, from_half = lower(rest, to_half), add(rest, nearer)
        for side in range(2):
            used = MOST_HALVES + HALF_INPUTS[half][side]
            message = lower(message, add(load(sub.rows, size + used, 0), nearer))
            to_used = lower(load(sub.message, rows + used, beside), from_half)
            store(sub.message, rows + used, beside, where_above(link, nothing, to_used, nothing))
        store(sub.message, rows + half, beside, where_above(link, nothing, message, nothing))


@kernel
def pass_messages(active: int, backwards: bool, slack: float, first: int, places: int, sub: Subproblem) -> Gap:
    """Pass messages over the blocks in work[BLOCKS] once, and leave a labeling in marks[TRIAL_PLACE].

    Returns:
        The cost of that labeling, and the bound: the part of each cell's lowest share that its messages do not carry
        on. Both with what the settled cells cost.
    """
    cost, bound, nothing = same(0.0), same(0.0), same(0.0)
    ahead = 0 if backwards else 1
    for index in range(active):
        block = sub.work[BLOCKS, active - 1 - index if backwards else index]
        cheapest = _gather(block, slack, first, places, sub)
        undecided = load(sub.marks, UNDECIDED, block)
        paid = _take_cheapest(block, ahead, first, places, sub)
        cost = add(cost, where_above(undecided, nothing, paid, nothing))
        _hold(block, first, places, sub)
        links, behind = _links(block, ahead, sub), _links(block, 1 - ahead, sub)
        # Chains through the cell, among which its share is divided.
        chains = where_above(links, behind, links, where_above(behind, same(1.0), behind, same(1.0)))
        weight = divide(same(1.0), chains)
        for direction in range(ahead, sub.link.shape[0], 2):
            _send(block, direction, weight, first, places, sub)
        kept = subtract(same(1.0), multiply(links, weight))
        bound = add(bound, where_above(undecided, nothing, multiply(cheapest, kept), nothing))
    return Gap(sub.settled[0] + total(cost), sub.settled[0] + total(bound))
