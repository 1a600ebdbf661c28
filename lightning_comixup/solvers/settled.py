"""Settled cells: those with one place left, whose edges are added to their neighbours' own costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from lightning_comixup.solvers.compiler.jit import kernel, small
from lightning_comixup.solvers.compiler.lanes import (
    add,
    any_above,
    load,
    multiply,
    same,
    store,
    subtract,
    total,
    where_above,
)
from lightning_comixup.solvers.half_labels import (
    HALF_NEARER,
    HALF_TO_OTHER,
    MOST_HALVES,
    add_to_inputs,
    sum_of_inputs,
)
from lightning_comixup.solvers.subproblem import CHOICES, PLACE, UNDECIDED, Subproblem


@small
def _take_last_place(block: int, settling: Any, first: int, places: int, sub: Subproblem) -> Any:
    """Note what the cells that settle take; return ½‖z - z'‖² between that and an input that it does not hold.

    The shares of the inputs are left in the working rows.
    """
    taken, far, cost = load(sub.marks, PLACE, block), same(1.0), same(0.0)
    for place in range(first, places):
        own = load(sub.own, place, block)
        is_left = where_above(same(np.inf), own, settling, same(0.0))
        taken = where_above(is_left, same(0.0), same(float(place)), taken)
        cost = where_above(is_left, same(0.0), own, cost)
        store(sub.rows, place, 0, is_left)
    for half in range(first, MOST_HALVES):
        share = multiply(load(sub.rows, half, 0), same(0.5))
        far = where_above(share, same(0.0), same(HALF_TO_OTHER), far)
        add_to_inputs(sub.rows, half, 0, share)
    store(sub.marks, PLACE, block, taken)
    sub.settled[0] += total(cost)
    return far


@small
def _add_edge(row: int, beside: int, paying: Any, distance: Any, sub: Subproblem) -> None:
    """Add what the edges cost to one place of the neighbours."""
    own = load(sub.own, row, beside)
    cost = add(own, multiply(distance, same(sub.smoothness)))
    store(sub.own, row, beside, where_above(paying, same(0.0), cost, own))


@small
def _pay_edges(direction: int, block: int, settling: Any, far: Any, first: int, places: int, sub: Subproblem) -> None:
    """Let the neighbours in one direction pay for the edges to the cells that settle; no messages pass over these."""
    nothing = same(0.0)
    paying = where_above(load(sub.link, direction, block), nothing, settling, nothing)
    if not any_above(paying, nothing):
        return
    beside, back = block + sub.offset[direction], direction ^ 1
    for place in range(MOST_HALVES, places):
        _add_edge(place, beside, paying, subtract(far, load(sub.rows, place, 0)), sub)
    for half in range(first, MOST_HALVES):
        shared = multiply(sum_of_inputs(sub.rows, half, 0), same(0.5))
        _add_edge(half, beside, paying, subtract(far, add(shared, same(HALF_NEARER))), sub)
    for place in range(first, places):
        row = back * sub.own.shape[0] + place
        store(sub.message, row, beside, where_above(paying, nothing, nothing, load(sub.message, row, beside)))
    store(sub.link, direction, block, where_above(paying, nothing, nothing, load(sub.link, direction, block)))
    store(sub.link, back, beside, where_above(paying, nothing, nothing, load(sub.link, back, beside)))


@kernel
def settle_cells(block: int, first: int, places: int, sub: Subproblem) -> None:
    """Settle the undecided cells of a block that have one place left, which marks[CHOICES] tells."""
    undecided, nothing = load(sub.marks, UNDECIDED, block), same(0.0)
    settling = where_above(load(sub.marks, CHOICES, block), same(1.0), nothing, undecided)
    if not any_above(settling, nothing):
        return
    far = _take_last_place(block, settling, first, places, sub)
    for direction in range(sub.link.shape[0]):
        _pay_edges(direction, block, settling, far, first, places, sub)
    store(sub.marks, UNDECIDED, block, subtract(undecided, settling))
