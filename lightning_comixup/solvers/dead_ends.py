"""Dead-end elimination: rule out places that no optimal labeling needs, and settle the cells that this decides.

A place a goes at a cell when the cheapest place b there has own[a] - own[b] > Σ_neighbours max_l (pairwise[b, l] -
pairwise[a, l]), l over what the neighbour may still take: then b costs less whatever the neighbours take.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lightning_comixup.solvers.compiler.jit import kernel, small
from lightning_comixup.solvers.compiler.lanes import (
    LANES,
    add,
    any_above,
    load,
    lower,
    multiply,
    same,
    store,
    subtract,
    where_above,
)
from lightning_comixup.solvers.half_labels import HALF_TO_INPUT, HALF_TO_OTHER, MOST_HALVES, add_to_inputs
from lightning_comixup.solvers.settled import settle_cells
from lightning_comixup.solvers.subproblem import CHOICES, PLANAR, STALE, UNDECIDED, Subproblem

# The most that a rival can cost more than a half label along an edge, of ½‖z - z'‖²: the neighbour holds an input of
# the half label (1 - ¼), or the half label itself (¾ - 0).
_MOST_FOR_HALF = max(1.0 - HALF_TO_INPUT, HALF_TO_OTHER)
# The most that a rival can cost more than an input where the neighbour holds a half label of that input: ¾ - ¼.
_MOST_BESIDE_HALF = HALF_TO_OTHER - HALF_TO_INPUT


@small
def _held_beside(place: int, block: int, sub: Subproblem) -> Any:
    """Return how many neighbours may take a place."""
    if sub.link.shape[0] == PLANAR:  # without a loop twice as fast
        first = add(load(sub.held, place, block + sub.offset[0]), load(sub.held, place, block + sub.offset[1]))
        second = add(load(sub.held, place, block + sub.offset[2]), load(sub.held, place, block + sub.offset[3]))
        return add(first, second)
    beside = same(0.0)
    for direction in range(sub.link.shape[0]):
        beside = add(beside, load(sub.held, place, block + sub.offset[direction]))
    return beside


@small
def _weigh_risks(block: int, first: int, places: int, sub: Subproblem) -> None:
    """Set in the working rows along how many edges, at most, each place may cost less than the rival.

    An input does only along edges to neighbours that may take the same input, or half of it.
    """
    for place in range(first, places):
        store(sub.rows, place, 0, _held_beside(place, block, sub))
    if first == MOST_HALVES:
        return
    edges = same(0.0)
    for direction in range(sub.link.shape[0]):
        edges = add(edges, load(sub.link, direction, block))
    for half in range(first, MOST_HALVES):
        risk = multiply(load(sub.rows, half, 0), same(_MOST_BESIDE_HALF))
        add_to_inputs(sub.rows, half, 0, risk)
        store(sub.rows, half, 0, multiply(edges, same(_MOST_FOR_HALF)))


@small
def _eliminate_in(block: int, first: int, places: int, sub: Subproblem) -> bool:
    """Rule out the needless places of the cells of a block; whether its neighbours have to know."""
    _weigh_risks(block, first, places, sub)
    cheapest = same(np.inf)
    for place in range(first, places):
        cheapest = lower(cheapest, load(sub.own, place, block))
    undecided, left = load(sub.marks, UNDECIDED, block), same(0.0)
    for place in range(first, places):
        own = load(sub.own, place, block)
        limit = add(cheapest, multiply(load(sub.rows, place, 0), same(sub.smoothness)))
        held = where_above(own, limit, same(0.0), undecided)
        left = add(left, held)
        store(sub.own, place, block, where_above(own, limit, same(np.inf), own))
        store(sub.held, place, block, held)
    alone = where_above(left, same(1.0), same(0.0), undecided)
    changed = any_above(load(sub.marks, CHOICES, block), left)
    store(sub.marks, CHOICES, block, subtract(left, alone))
    if not any_above(alone, same(0.0)):
        return changed
    for place in range(first, places):
        store(sub.held, place, block, where_above(alone, same(0.0), same(0.0), load(sub.held, place, block)))
    settle_cells(block, first, places, sub)
    return True


@small
def _look_again(block: int, sub: Subproblem) -> None:
    """Mark the blocks with neighbours of a block's cells, which mostly straddle two."""
    for direction in range(sub.link.shape[0]):
        beside = (block + sub.offset[direction]) // LANES * LANES
        sub.work[STALE, beside] = 1
        sub.work[STALE, beside + LANES] = 1


@kernel
def eliminate_dead_ends(first: int, places: int, sub: Subproblem) -> None:
    """Repeat the elimination until nothing drops, and settle the cells with one place left."""
    for index in range(sub.blocks.shape[0]):
        sub.work[STALE, sub.blocks[index]] = 1
    again, backwards, blocks = True, False, sub.blocks.shape[0]
    while again:
        again = False
        for index in range(blocks):
            block = sub.blocks[blocks - 1 - index if backwards else index]
            if sub.work[STALE, block] == 0:
                continue
            sub.work[STALE, block] = 0
            if _eliminate_in(block, first, places, sub):
                _look_again(block, sub)
                again = True
        backwards = not backwards
