"""Dead-end elimination: drop labels that no optimal labeling of the subproblem needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.jit import kernel
from lightning_comixup.solvers.subproblem import STALE, Subproblem


@kernel
def fill_domains(cost: NDArray[np.float64], label_count: int, sub: Subproblem) -> None:
    """Keep, at every cell, the labels within `reach` of the cheapest.

    Along each edge the cheapest label costs at most the smoothness weight more than any other, whatever the neighbours
    take (½‖z - z'‖² lies in [0, 1]), so a label beyond that bound is never part of an optimal labeling.
    """
    for cell in range(cost.shape[0]):
        lowest = cost[cell, 0]
        for label in range(1, label_count):
            lowest = min(lowest, cost[cell, label])
        bound = lowest + sub.reach[cell]
        kept = 0
        for label in range(label_count):
            if cost[cell, label] <= bound:
                sub.label[cell, kept] = label
                sub.cost[cell, kept] = cost[cell, label]
                kept += 1
        if kept == 0:  # only where costs are NaN
            sub.label[cell, 0] = 0
            sub.cost[cell, 0] = cost[cell, 0]
            kept = 1
        sub.alive[cell] = kept


@kernel
def _is_dominated(cell: int, candidate: int, rival: int, sub: Subproblem) -> bool:
    """Whether `rival` is cheaper than `candidate` at `cell` whatever the neighbours take."""
    candidate_label = sub.label[cell, candidate]
    rival_label = sub.label[cell, rival]
    excess = sub.cost[cell, rival] - sub.cost[cell, candidate]
    for direction in range(sub.neighbours.shape[1]):
        neighbour = sub.neighbours[cell, direction]
        if neighbour < 0:
            continue
        worst = -np.inf
        for place in range(sub.alive[neighbour]):
            other = sub.label[neighbour, place]
            worst = max(worst, sub.pairwise[rival_label, other] - sub.pairwise[candidate_label, other])
        excess += worst
    return excess < 0.0


@kernel
def _eliminate_at(cell: int, sub: Subproblem) -> bool:
    """Drop the dominated labels of one cell; whether there were any."""
    before = sub.alive[cell]
    candidate = 0
    while candidate < sub.alive[cell]:
        dominated = False
        for rival in range(sub.alive[cell]):
            if rival == candidate or sub.cost[cell, rival] - sub.cost[cell, candidate] >= sub.reach[cell]:
                continue
            if _is_dominated(cell, candidate, rival, sub):
                dominated = True
                break
        if dominated:
            last = sub.alive[cell] - 1
            for place in range(candidate, last):
                sub.label[cell, place] = sub.label[cell, place + 1]
                sub.cost[cell, place] = sub.cost[cell, place + 1]
            sub.alive[cell] = last
        else:
            candidate += 1
    return sub.alive[cell] < before


@kernel
def eliminate_dead_ends(sub: Subproblem) -> None:
    """Repeat the elimination until nothing drops.

    Label a goes at a cell when another label b there has cost[b] - cost[a] + Σ_neighbours max_l (pairwise[b, l] -
    pairwise[a, l]) < 0, l over what the neighbour may still take.
    """
    stale = sub.work[STALE]
    cells = sub.neighbours.shape[0]
    for cell in range(cells):
        stale[cell] = sub.alive[cell] > 1
    again = True
    while again:
        again = False
        for cell in range(cells):
            if stale[cell] == 0:
                continue
            stale[cell] = 0
            if not _eliminate_at(cell, sub):
                continue
            for direction in range(sub.neighbours.shape[1]):
                neighbour = sub.neighbours[cell, direction]
                if neighbour >= 0 and sub.alive[neighbour] > 1:
                    stale[neighbour] = 1
                    again = True
