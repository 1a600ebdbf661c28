"""Dead-end elimination: rule out places that no optimal labeling needs, and settle the cells that this decides.

A place a goes at a cell when the cheapest place b there has own[a] - own[b] > Σ_neighbours max_l (pairwise[b, l] -
pairwise[a, l]), l over what the neighbour may still take: then b costs less whatever the neighbours take.
"""

from __future__ import annotations

import numpy as np

from lightning_comixup.solvers.compiler.jit import kernel, small
from lightning_comixup.solvers.compiler.lanes import (
    LANES,
    add,
    count_below,
    load,
    lower,
    lowest,
    multiply,
    same,
    store,
    where_above,
)
from lightning_comixup.solvers.half_labels import HALF_TO_INPUT, HALF_TO_OTHER, MOST_HALVES
from lightning_comixup.solvers.subproblem import CHOICES, PLACE, STALE, Subproblem, find_lowest

# The most that a rival can cost more than a half label along an edge, of ½‖z - z'‖²: the neighbour holds an input of
# the half label (1 - ¼), or the half label itself (¾ - 0).
_MOST_FOR_HALF = max(1.0 - HALF_TO_INPUT, HALF_TO_OTHER)
# The most that a rival can cost more than an input where the neighbour holds a half label of that input: ¾ - ¼.
_MOST_BESIDE_HALF = HALF_TO_OTHER - HALF_TO_INPUT
# Row of `Subproblem.rows`: what half labels add to the risk.
_RISK = 0


@small
def _neighbour_row(cell: int, direction: int, sub: Subproblem) -> int:
    """Return the row of `Subproblem.held` of a neighbour: the last, nothing held, where there is none."""
    neighbour = sub.link[cell, direction]
    return neighbour if neighbour >= 0 else sub.own.shape[0]


@small
def _weigh_halves(cell: int, width: int, sub: Subproblem) -> None:
    """Set the edges at which a half label, or an input beside one, may cost less than the rival."""
    for at in range(0, width, LANES):
        store(sub.rows, _RISK, at, same(0.0))
    edges = 0.0
    for direction in range(sub.link.shape[1]):
        edges += 1.0 if sub.link[cell, direction] >= 0 else 0.0
    for half in range(MOST_HALVES):
        sub.rows[_RISK, half] = _MOST_FOR_HALF * edges
        beside = 0.0
        for direction in range(sub.link.shape[1]):
            beside += sub.held[_neighbour_row(cell, direction, sub), half]
        for side in range(2):
            place = sub.constituents[side, half]
            if place >= 0:
                sub.rows[_RISK, place] += _MOST_BESIDE_HALF * beside


@small
def _eliminate_at(cell: int, halves: bool, width: int, sub: Subproblem) -> bool:
    """Rule out the needless places of one cell; whether its neighbours have to know."""
    cheapest = same(np.inf)
    for at in range(0, width, LANES):
        cheapest = lower(cheapest, load(sub.own, cell, at))
    least = same(lowest(cheapest))
    if halves:
        _weigh_halves(cell, width, sub)
    left = 0
    for at in range(0, width, LANES):
        # An input costs less than a rival only along edges to neighbours that take the same input.
        risk = load(sub.rows, _RISK, at) if halves else same(0.0)
        for direction in range(sub.link.shape[1]):
            risk = add(risk, load(sub.held, _neighbour_row(cell, direction, sub), at))
        limit = add(least, multiply(risk, same(sub.smoothness)))
        own = load(sub.own, cell, at)
        own = where_above(own, limit, same(np.inf), own)
        store(sub.own, cell, at, own)
        store(sub.held, cell, at, where_above(own, limit, same(0.0), same(1.0)))
        left += count_below(own, np.inf)
    changed = left < sub.work[CHOICES, cell] or left == 1
    sub.work[CHOICES, cell] = left
    return changed


@small
def settle_cell(cell: int, width: int, sub: Subproblem) -> None:
    """Take the only place left, and add what the cell's edges cost to its neighbours' own costs."""
    taken = find_lowest(sub.own, cell, width)
    sub.work[PLACE, cell] = taken
    for at in range(0, width, LANES):
        store(sub.held, cell, at, same(0.0))
    for direction in range(sub.link.shape[1]):
        neighbour = sub.link[cell, direction]
        if neighbour >= 0:
            for at in range(0, width, LANES):
                store(sub.own, neighbour, at, add(load(sub.own, neighbour, at), load(sub.pairwise, taken, at)))
            sub.link[neighbour, direction ^ 1] = -1  # directions come in pairs: before and after along an axis
            sub.link[cell, direction] = -1


@kernel
def eliminate_dead_ends(halves: bool, width: int, sub: Subproblem) -> None:
    """Repeat the elimination until nothing drops; work[CHOICES] then tells how many places each cell has left.

    Cells with one place left have taken it in work[PLACE], and have no links to others any more.
    """
    cells = sub.own.shape[0]
    for cell in range(cells):
        sub.work[STALE, cell] = 1
    again = True
    while again:
        again = False
        for cell in range(cells):
            if sub.work[STALE, cell] == 0:
                continue
            sub.work[STALE, cell] = 0
            if not _eliminate_at(cell, halves, width, sub):
                continue
            for direction in range(sub.link.shape[1]):
                neighbour = sub.link[cell, direction]
                if neighbour >= 0:
                    sub.work[STALE, neighbour] = 1
                    again = True
            if sub.work[CHOICES, cell] == 1:
                settle_cell(cell, width, sub)
