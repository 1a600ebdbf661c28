"""Connected components of the undecided cells, each solved by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.dead_ends import eliminate_dead_ends
from lightning_comixup.solvers.frontier import minimise_component, programme_cost
from lightning_comixup.solvers.jit import kernel
from lightning_comixup.solvers.loops import copy_row
from lightning_comixup.solvers.subproblem import (
    BEYOND_CAP,
    COMPONENT,
    DECIDED,
    DIGIT,
    LABELING,
    ORDER,
    TRIAL,
    Subproblem,
)

# A first order this cheap (in table entries) is not worth comparing with others. Heuristic.
_CHEAP_PROGRAMME = 256


@kernel
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
        for direction in range(sub.neighbours.shape[1]):
            neighbour = sub.neighbours[cell, direction]
            if neighbour >= 0 and sub.alive[neighbour] > 1 and component[neighbour] < 0:
                component[neighbour] = seed
                order[size] = neighbour
                size += 1
    return size


@kernel
def _sort_by_rank(order: NDArray[np.int32], size: int, rank: NDArray[np.int32]) -> None:
    """Sort the cells by rank, in place (by insertion: components are small)."""
    for index in range(1, size):
        cell = order[index]
        place = index
        while place > 0 and rank[order[place - 1]] > rank[cell]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = cell


@kernel
def _choose_order(size: int, cap: int, sub: Subproblem) -> bool:
    """Leave the cheapest order in work[ORDER]; False if none fits the cap."""
    order, trial = sub.work[ORDER], sub.work[TRIAL]
    best = cap + 1
    copy_row(trial, order, size)
    for axis in range(sub.rank.shape[0]):
        _sort_by_rank(trial, size, sub.rank[axis])
        cost = programme_cost(trial, size, cap, sub)
        if cost < best:
            best = cost
            copy_row(order, trial, size)
        if best <= _CHEAP_PROGRAMME:
            break
    return best <= cap


@kernel
def _absorb_decided(cell: int, sub: Subproblem) -> None:
    """Add to the costs of an undecided cell what its decided neighbours cost."""
    for direction in range(sub.neighbours.shape[1]):
        neighbour = sub.neighbours[cell, direction]
        if neighbour >= 0 and sub.alive[neighbour] == 1:
            for place in range(sub.alive[cell]):
                sub.cost[cell, place] += sub.pairwise[sub.label[cell, place], sub.label[neighbour, 0]]


@kernel
def _take_cheapest(cell: int, sub: Subproblem) -> None:
    best = 0
    for place in range(1, sub.alive[cell]):
        if sub.cost[cell, place] < sub.cost[cell, best]:
            best = place
    sub.work[LABELING, cell] = sub.label[cell, best]


@kernel
def _edges_cost_nothing(size: int, sub: Subproblem) -> bool:
    """Whether the labels taken by the component at hand cost nothing along its inner edges."""
    labeling, component = sub.work[LABELING], sub.work[COMPONENT]
    for index in range(size):
        cell = sub.work[ORDER, index]
        for direction in range(sub.neighbours.shape[1]):
            neighbour = sub.neighbours[cell, direction]
            if (
                neighbour >= 0
                and component[neighbour] == component[cell]
                and sub.pairwise[labeling[cell], labeling[neighbour]] > 0.0
            ):
                return False
    return True


@kernel
def _solve_component(size: int, cap: int, sub: Subproblem) -> bool:
    """Minimise over the component listed in work[ORDER]; False, and cheapest labels, if it is beyond the cap."""
    order = sub.work[ORDER]
    for index in range(size):
        _take_cheapest(order[index], sub)
    # Each cell at its cheapest and no edge that costs anything: no labeling can be cheaper.
    if _edges_cost_nothing(size, sub):
        return True
    if not _choose_order(size, cap, sub):
        return False
    minimise_component(size, sub)
    for index in range(size):
        cell = order[index]
        sub.work[LABELING, cell] = sub.label[cell, sub.work[DIGIT, cell]]
    return True


@kernel
def solve_domains(cap: int, sub: Subproblem) -> int:
    """Solve the subproblem into work[LABELING]; return how many cells lie in components beyond `cap` table entries.

    Those cells take the cheapest label of their domain and are marked BEYOND_CAP in work[COMPONENT]; without any, the
    labeling is a proven minimum.
    """
    eliminate_dead_ends(sub)
    component = sub.work[COMPONENT]
    cells = sub.neighbours.shape[0]
    for cell in range(cells):
        component[cell] = DECIDED
        sub.work[LABELING, cell] = sub.label[cell, 0]
        if sub.alive[cell] > 1:
            _absorb_decided(cell, sub)
    beyond = 0
    for cell in range(cells):
        if sub.alive[cell] == 1 or component[cell] != DECIDED:
            continue
        size = _collect_component(cell, sub)
        if not _solve_component(size, cap, sub):
            beyond += size
            for index in range(size):
                component[sub.work[ORDER, index]] = BEYOND_CAP
    return beyond
