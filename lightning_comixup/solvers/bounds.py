"""Dual bounds: drop labels that no labeling as cheap as a known one can take.

For components too wide for the programme at hand. Each edge's costs are shared out to its two cells (a
reparametrisation: the cost of every labeling stays the same) such that the sum of the cells' minima, a lower bound on
every labeling, rises.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.jit import kernel, small
from lightning_comixup.solvers.subproblem import COMPONENT, DIGIT, ORDER, TRIAL, Subproblem, keep_only, note_kinds

# Rounds over the edges, forth and back. Heuristic: later rounds hardly drop anything.
_ROUNDS = 12
# Rounds from one local search to the next: a search costs as much as a round. Heuristic.
_ROUNDS_PER_SEARCH = 4
# Sweeps of the local search that turns the cheapest shares into a labeling. Heuristic.
_LOCAL_SWEEPS = 4
# A label is dropped, or a labeling taken as the minimum, with this margin for rounding, relative to the cost.
_MARGIN = 1e-12


@small
def _share_edge(cell: int, direction: int, sub: Subproblem) -> None:
    """Share the costs along one edge out to its cells, half each and the rest to whom it helps."""
    other = sub.neighbours[cell, direction]
    back = direction ^ 1  # directions come in pairs: before and after along an axis
    mine, theirs = sub.total[cell], sub.total[other]
    to_me, to_them = sub.message[cell, direction], sub.message[other, back]
    count, other_count = sub.alive[cell], sub.alive[other]
    for i in range(count):
        to_me[i] = mine[i] - to_me[i]  # for now: what the cell has without this edge
    for j in range(other_count):
        to_them[j] = theirs[j] - to_them[j]
    for i in range(count):
        least = np.inf
        for j in range(other_count):
            least = min(least, to_them[j] + sub.pairwise[sub.label[cell, i], sub.label[other, j]])
        mine[i] = 0.5 * (to_me[i] + least)
    for j in range(other_count):
        least = np.inf
        for i in range(count):
            least = min(least, to_me[i] - mine[i] + sub.pairwise[sub.label[cell, i], sub.label[other, j]])
        theirs[j] = to_them[j] + least
    for i in range(count):
        least = np.inf
        for j in range(other_count):
            least = min(least, to_them[j] - theirs[j] + sub.pairwise[sub.label[cell, i], sub.label[other, j]])
        mine[i] = to_me[i] + least
    for i in range(count):
        to_me[i] = mine[i] - to_me[i]
    for j in range(other_count):
        to_them[j] = theirs[j] - to_them[j]


@small
def _share_edges(size: int, backwards: bool, sub: Subproblem) -> None:
    """Share out every edge of the component once."""
    order, component = sub.work[ORDER], sub.work[COMPONENT]
    for index in range(size):
        cell = order[size - 1 - index] if backwards else order[index]
        for direction in range(1, sub.neighbours.shape[1], 2):
            other = sub.neighbours[cell, direction]
            if other >= 0 and component[other] == component[cell]:
                _share_edge(cell, direction, sub)


@small
def _cheapest_place(costs: NDArray[np.float64], count: int) -> int:
    best = 0
    for place in range(1, count):
        if costs[place] < costs[best]:
            best = place
    return best


@small
def _local_cost(cell: int, place: int, places: NDArray[np.int32], sub: Subproblem) -> float:
    """Return what a place costs its cell with the neighbours in the component held."""
    component = sub.work[COMPONENT]
    cost = sub.own[cell, place]
    for direction in range(sub.neighbours.shape[1]):
        other = sub.neighbours[cell, direction]
        if other >= 0 and component[other] == component[cell]:
            cost += sub.pairwise[sub.label[cell, place], sub.label[other, places[other]]]
    return cost


@kernel
def _descend_locally(size: int, places: NDArray[np.int32], sub: Subproblem) -> float:
    """Improve a labeling cell by cell; return its cost."""
    order = sub.work[ORDER]
    for _ in range(_LOCAL_SWEEPS):
        changed = False
        for index in range(size):
            cell = order[index]
            best, lowest = places[cell], _local_cost(cell, places[cell], places, sub)
            for place in range(sub.alive[cell]):
                cost = _local_cost(cell, place, places, sub)
                if cost < lowest:
                    best, lowest = place, cost
            changed = changed or best != places[cell]
            places[cell] = best
        if not changed:
            break
    total = 0.0
    for index in range(size):
        cell = order[index]
        # Half of each edge here, half at its other end.
        total += 0.5 * (sub.own[cell, places[cell]] + _local_cost(cell, places[cell], places, sub))
    return total


@kernel
def _drop_labels(size: int, slack: float, sub: Subproblem) -> None:
    """Drop every label whose share exceeds its cell's least by more than `slack`."""
    for index in range(size):
        cell = sub.work[ORDER, index]
        limit = sub.total[cell, _cheapest_place(sub.total[cell], sub.alive[cell])] + slack
        kept = 0
        for place in range(sub.alive[cell]):
            if sub.total[cell, place] <= limit:
                sub.label[cell, kept] = sub.label[cell, place]
                sub.own[cell, kept] = sub.own[cell, place]
                kept += 1
            else:
                sub.holds[cell, sub.label[cell, place]] = 0
        sub.alive[cell] = kept
        note_kinds(cell, sub)


@kernel
def _fix_labels(size: int, places: NDArray[np.int32], sub: Subproblem) -> None:
    """Leave each cell only the label at its place."""
    for index in range(size):
        cell = sub.work[ORDER, index]
        keep_only(cell, places[cell], sub)


@kernel
def tighten_component(size: int, sub: Subproblem) -> None:
    """Drop from the domains of the component listed in work[ORDER] what its bounds exclude.

    With L the bound, U the cost of a labeling found by local search and m_s(l) the share of label l at cell s, every
    labeling with l_s = l costs at least L + m_s(l) - min m_s. If that exceeds U the label goes; if L reaches U the
    labeling found is a minimum. At least one minimum of the component remains.
    """
    order, places, trial = sub.work[ORDER], sub.work[DIGIT], sub.work[TRIAL]
    for index in range(size):
        cell = order[index]
        for place in range(sub.alive[cell]):
            sub.total[cell, place] = sub.own[cell, place]
            for direction in range(sub.neighbours.shape[1]):
                sub.message[cell, direction, place] = 0.0
    lowest = np.inf
    bound = -np.inf
    for step in range(_ROUNDS):
        _share_edges(size, step % 2 == 1, sub)
        if (step + 1) % _ROUNDS_PER_SEARCH != 0:
            continue
        bound = 0.0
        for index in range(size):
            cell = order[index]
            trial[cell] = _cheapest_place(sub.total[cell], sub.alive[cell])
            bound += sub.total[cell, trial[cell]]
        reached = _descend_locally(size, trial, sub)
        if reached < lowest:
            lowest = reached
            for index in range(size):
                places[order[index]] = trial[order[index]]
        if lowest - bound <= _MARGIN * max(1.0, abs(lowest)):
            _fix_labels(size, places, sub)
            return
    _drop_labels(size, lowest - bound + _MARGIN * max(1.0, abs(lowest)), sub)
