"""Connected components of the cells that messages left undecided, each solved by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.compiler.jit import inlined, small
from lightning_comixup.solvers.dead_ends import settle_cell
from lightning_comixup.solvers.frontier import minimise_component, programme_cost
from lightning_comixup.solvers.loops import copy_row
from lightning_comixup.solvers.subproblem import (
    CHOICES,
    COMPONENT,
    DECIDED,
    DIGIT,
    ORDER,
    PLACE,
    TRIAL,
    Subproblem,
)

# Marks a cell that is not yet in a component.
_NEW = -2


@small
def _list_choices(width: int, sub: Subproblem) -> None:
    """List what each cell may still take; a cell with one place left takes it."""
    for cell in range(sub.own.shape[0]):
        sub.work[COMPONENT, cell] = DECIDED
        if sub.work[CHOICES, cell] == 1:
            continue
        size = 0
        for place in range(width):
            if sub.own[cell, place] < np.inf:
                sub.left[cell, size] = place
                size += 1
        sub.work[CHOICES, cell] = size
        if size > 1:
            sub.work[COMPONENT, cell] = _NEW
        else:
            settle_cell(cell, width, sub)


@small
def _copy_costs(cell: int, sub: Subproblem) -> None:
    """Write what each place left costs a cell, with its edges to settled cells, over its first row of messages."""
    for index in range(sub.work[CHOICES, cell]):
        place = sub.left[cell, index]
        sub.message[cell * sub.link.shape[1], place] = sub.own[cell, place]


@small
def _collect_component(seed: int, sub: Subproblem) -> int:
    """Name the component of undecided cells after its first cell, list it in work[ORDER] and return its size."""
    component, order = sub.work[COMPONENT], sub.work[ORDER]
    component[seed] = seed
    order[0] = seed
    size = 1
    head = 0
    while head < size:
        cell = order[head]
        head += 1
        _copy_costs(cell, sub)
        for direction in range(sub.link.shape[1]):
            neighbour = sub.link[cell, direction]
            if neighbour >= 0 and component[neighbour] == _NEW:
                component[neighbour] = seed
                order[size] = neighbour
                size += 1
    return size


@small
def _sort_by_rank(order: NDArray[np.int64], size: int, rank: NDArray[np.int64]) -> None:
    """Sort the cells by rank, in place (by insertion: components are small)."""
    for index in range(1, size):
        cell = order[index]
        place = index
        while place > 0 and rank[order[place - 1]] > rank[cell]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = cell


@small
def _choose_order(size: int, cap: int, sub: Subproblem) -> bool:
    """Leave the cheapest order in work[ORDER], each with another axis varying slowest; False if none fits the cap."""
    order, trial = sub.work[ORDER], sub.work[TRIAL]
    best = cap + 1
    copy_row(trial, order, size)
    for axis in range(sub.rank.shape[0]):
        _sort_by_rank(trial, size, sub.rank[axis])
        cost = programme_cost(trial, size, cap, sub)
        if cost < best:
            best = cost
            copy_row(order, trial, size)
    return best <= cap


@inlined
def solve_components(width: int, sub: Subproblem) -> bool:
    """Minimise over every component of undecided cells; False if one needs more entries than the table has.

    The cells of such a component keep what they have in work[PLACE].
    """
    _list_choices(width, sub)
    solved = True
    for seed in range(sub.own.shape[0]):
        if sub.work[COMPONENT, seed] != _NEW:
            continue
        size = _collect_component(seed, sub)
        if not _choose_order(size, sub.table.shape[0], sub):
            solved = False
            continue
        minimise_component(size, sub)
        for index in range(size):
            cell = sub.work[ORDER, index]
            sub.work[PLACE, cell] = sub.left[cell, sub.work[DIGIT, cell]]
    return solved
