"""The second method: expansion moves, each solved exactly, for components beyond the cap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.components import solve_domains
from lightning_comixup.solvers.jit import inlined, kernel
from lightning_comixup.solvers.loops import copy_row
from lightning_comixup.solvers.subproblem import (
    BEYOND_CAP,
    COMPONENT,
    LABELING,
    Subproblem,
    add_label,
    clear_domain,
)

# Rounds over the labels after which the moves stop even if the last one still gained. Heuristic: two or three suffice.
_MOST_ROUNDS = 8
# A gain below this is rounding, not progress (costs are of order one).
_LEAST_GAIN = 1e-12


@kernel
def labeling_cost(labeling: NDArray[np.int32], cost: NDArray[np.float64], sub: Subproblem) -> float:
    """Return Σ_s cost_s(l_s) + Σ_(s,t) pairwise(l_s, l_t)."""
    total = 0.0
    for cell in range(cost.shape[0]):
        total += cost[cell, labeling[cell]]
        for direction in range(sub.neighbours.shape[1]):
            neighbour = sub.neighbours[cell, direction]
            if neighbour > cell:
                total += sub.pairwise[labeling[cell], labeling[neighbour]]
    return total


@kernel
def _offer(
    label: int, free: NDArray[np.bool_], labeling: NDArray[np.int32], cost: NDArray[np.float64], sub: Subproblem
) -> bool:
    """Let every free cell keep its label or take `label`, if its edges can make up for it; False if none can."""
    offered = False
    for cell in range(cost.shape[0]):
        current = labeling[cell]
        moves = free[cell] and label != current and cost[cell, label] < cost[cell, current] + sub.reach[cell]
        clear_domain(cell, sub)
        if moves and label < current:
            add_label(cell, label, cost[cell, label], sub)
        add_label(cell, current, cost[cell, current], sub)
        if moves and label > current:
            add_label(cell, label, cost[cell, label], sub)
        offered = offered or moves
    return offered


@inlined
def improve_by_expansion(
    labeling: NDArray[np.int32],
    free: NDArray[np.bool_],
    cost: NDArray[np.float64],
    label_count: int,
    cap: int,
    sub: Subproblem,
) -> None:
    """Lower the cost of `labeling` in place, changing only `free` cells.

    A move lets every free cell keep its label or take one given label: a two-label subproblem, solved as any other. A
    move is made only if it lowers the cost, so the result is never worse than the start, even where a component of the
    move is itself beyond the cap (its cells then keep their labels).
    """
    best = labeling_cost(labeling, cost, sub)
    moved, component = sub.work[LABELING], sub.work[COMPONENT]
    cells = cost.shape[0]
    for _ in range(_MOST_ROUNDS):
        before = best
        for label in range(label_count):
            if not _offer(label, free, labeling, cost, sub):
                continue
            if solve_domains(cap, sub) > 0:
                for cell in range(cells):
                    if component[cell] == BEYOND_CAP:
                        moved[cell] = labeling[cell]
            reached = labeling_cost(moved, cost, sub)
            if reached < best - _LEAST_GAIN:
                best = reached
                copy_row(labeling, moved, cells)
        if best >= before:
            break
