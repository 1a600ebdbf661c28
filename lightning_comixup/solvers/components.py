"""Connected components of the undecided cells, each solved by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.bounds import tighten_component
from lightning_comixup.solvers.dead_ends import eliminate_dead_ends
from lightning_comixup.solvers.frontier import minimise_component, programme_cost
from lightning_comixup.solvers.jit import inlined, kernel, small
from lightning_comixup.solvers.loops import copy_row
from lightning_comixup.solvers.subproblem import (
    BEYOND_CAP,
    COMPONENT,
    DECIDED,
    DIGIT,
    LABELING,
    ORDER,
    SETTLED,
    TRIAL,
    Subproblem,
    cheapest_place,
    keep_only,
)

# A first order this cheap (in table entries) is not worth comparing with others. Heuristic.
_CHEAP_PROGRAMME = 256
# Beyond this many table entries bounds, which cost about as much, are tried first. Heuristic.
_WIDE_PROGRAMME = 16384


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
        for direction in range(sub.neighbours.shape[1]):
            neighbour = sub.neighbours[cell, direction]
            if neighbour >= 0 and sub.alive[neighbour] > 1 and component[neighbour] < 0:
                component[neighbour] = seed
                order[size] = neighbour
                size += 1
    return size


@small
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


@small
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


@inlined
def _solve_component(size: int, cap: int, sub: Subproblem) -> bool:
    """Minimise over the component listed in work[ORDER]; False, and cheapest labels, if it is beyond the cap."""
    order, labeling = sub.work[ORDER], sub.work[LABELING]
    for index in range(size):
        cell = order[index]
        labeling[cell] = sub.label[cell, cheapest_place(cell, sub)]
    # Each cell at its cheapest and no edge that costs anything: no labeling can be cheaper.
    if _edges_cost_nothing(size, sub):
        return True
    if not _choose_order(size, cap, sub):
        return False
    minimise_component(size, sub)
    for index in range(size):
        cell = order[index]
        labeling[cell] = sub.label[cell, sub.work[DIGIT, cell]]
    return True


@inlined
def _find_decided(sub: Subproblem) -> None:
    """Take the only label of each decided cell."""
    for cell in range(sub.neighbours.shape[0]):
        sub.work[COMPONENT, cell] = DECIDED
        sub.work[LABELING, cell] = sub.label[cell, 0]


@kernel
def _solve_components(cap: int, tighten: bool, sub: Subproblem) -> int:
    """Solve every component within the cap; return how many cells are beyond it.

    Those cells take the cheapest label of their domain and are marked BEYOND_CAP, or with `tighten` have their domains
    reduced by bounds. Cells that are solved keep no other label.
    """
    _find_decided(sub)
    component, order = sub.work[COMPONENT], sub.work[ORDER]
    beyond = 0
    for cell in range(sub.neighbours.shape[0]):
        if sub.alive[cell] == 1 or component[cell] != DECIDED:
            continue
        size = _collect_component(cell, sub)
        solved = _solve_component(size, cap, sub)
        if solved:
            for index in range(size):
                _decide(order[index], sub)
        else:
            beyond += size
            if tighten:
                tighten_component(size, sub)
            for index in range(size):
                component[order[index]] = BEYOND_CAP
    return beyond


@small
def _decide(cell: int, sub: Subproblem) -> None:
    """Leave a cell only the label that it took; no undecided neighbour is left that would have to know."""
    for place in range(sub.alive[cell]):
        if sub.label[cell, place] == sub.work[LABELING, cell]:
            keep_only(cell, place, sub)
            break
    sub.work[SETTLED, cell] = 1


@inlined
def solve_domains(cap: int, sub: Subproblem) -> int:
    """Solve the subproblem into work[LABELING]; return how many cells lie in components beyond `cap` table entries.

    Those cells take the cheapest label of their domain and are marked BEYOND_CAP in work[COMPONENT]; without any, the
    labeling is a proven minimum.
    """
    beyond = 0
    for attempt in range(2):
        eliminate_dead_ends(sub)
        limit = min(_WIDE_PROGRAMME, cap) if attempt == 0 else cap
        beyond = _solve_components(limit, attempt == 0, sub)
        if beyond == 0:
            break
    return beyond
