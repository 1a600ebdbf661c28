"""The data of one subproblem: a grid, what each cell may still take and at which cost, and the working space."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.jit import allocator, small
from lightning_comixup.solvers.relations import OTHER

# Rows of `Subproblem.work`: one entry per cell, except the steps, which take two.
LABELING = 0  # the result: the label of each cell
COMPONENT = 1  # the component's name; DECIDED, or BEYOND_CAP
ORDER = 2  # the cells of the component at hand, in the order of the programme
TRIAL = 3  # another order, to compare with
STALE = 4  # 1: dead-end elimination looks at this cell again
SETTLED = 5  # 1: the cell is decided, and what its edges cost was added to its neighbours' own costs
KINDS_HELD = 6  # which kinds of labels the cell may still take, as bits; none if it is decided
FRONTIER = 7  # the cells of the frontier, most significant digit first
PENDING = 8  # neighbours in the component that are still to come
DIGIT = 9  # the place taken in each cell's domain
STEP_CELL = 10  # the cell of each step of the programme
STEP_STRIDE = 11  # 0: the cell was added; else: minimised out, its digit having this place value
_WORK_ROWS = 12

DECIDED = -1
BEYOND_CAP = -2


class Subproblem(NamedTuple):
    """Minimise Σ_s own_s(l_s) + Σ_(s,t) pairwise(l_s, l_t), each l_s among what cell s may still take.

    Row s of `label` and `own` holds that in its first `alive[s]` places, by ascending label; the edges to settled cells
    are in the own costs. Solving uses the domains up. A neighbour -1 reads the last row, or the last entry of a row of
    `work`, where `holds` and the kinds held are always empty: that spares the test for the border. The tuple is flat
    and its arrays are few: Numba compiles nested tuples and long argument lists several times more slowly.
    """

    neighbours: NDArray[np.int32]  # (cells, 2 d), -1 beyond the border
    rank: NDArray[np.int32]  # (d, cells) place of each cell when axis k varies slowest
    reach: NDArray[np.float64]  # (cells,) the most that a cell's edges can cost
    smoothness: float
    pairwise: NDArray[np.float64]  # (labels, labels), the smoothness weight included
    kind: NDArray[np.int8]  # (labels,) see `relations`
    label: NDArray[np.int32]  # (cells, labels)
    own: NDArray[np.float64]  # (cells, labels)
    holds: NDArray[np.uint8]  # (cells + 1, labels) 1: the cell is undecided and may still take the label
    alive: NDArray[np.int32]  # (cells,)
    total: NDArray[np.float64]  # (cells, labels) own cost plus the shares of the edges
    message: NDArray[np.float64]  # (cells, 2 d, labels) the share of each edge
    work: NDArray[np.int32]  # (_WORK_ROWS, 2 cells)
    same: NDArray[np.int32]  # (labels,) where another cell holds the label at each place, or -1
    tables: NDArray[np.float64]  # (2, cap) cheapest cost of each assignment of the frontier, and its successor
    choices: NDArray[np.uint16]  # (cap,) the digit taken where a cell was minimised out


@allocator
def new_subproblem(
    neighbours: NDArray[np.int32], rank: NDArray[np.int32], labels: int, smoothness: float, cap: int
) -> Subproblem:
    """Allocate a subproblem over `labels` labels with the Potts costs of single inputs."""
    cells = neighbours.shape[0]
    reach = np.empty(cells, np.float64)
    for cell in range(cells):
        reach[cell] = 0.0
        for direction in range(neighbours.shape[1]):
            if neighbours[cell, direction] >= 0:
                reach[cell] += smoothness
    pairwise = np.empty((labels, labels), np.float64)
    for label in range(labels):
        for other in range(labels):
            pairwise[label, other] = 0.0 if label == other else smoothness
    return Subproblem(
        neighbours,
        rank,
        reach,
        smoothness,
        pairwise,
        np.full(labels, OTHER, np.int8),
        np.empty((cells, labels), np.int32),
        np.empty((cells, labels), np.float64),
        np.zeros((cells + 1, labels), np.uint8),
        np.zeros(cells, np.int32),
        np.empty((cells, labels), np.float64),
        np.empty((cells, neighbours.shape[1], labels), np.float64),
        np.zeros((_WORK_ROWS, 2 * cells), np.int32),
        np.empty(labels, np.int32),
        np.empty((2, cap), np.float64),
        np.empty(cap, np.uint16),
    )


@small
def clear_domain(cell: int, sub: Subproblem) -> None:
    """Leave a cell no label."""
    for place in range(sub.alive[cell]):
        sub.holds[cell, sub.label[cell, place]] = 0
    sub.alive[cell] = 0
    sub.work[SETTLED, cell] = 0
    sub.work[KINDS_HELD, cell] = 0


@small
def add_label(cell: int, label: int, cost: float, sub: Subproblem) -> None:
    """Let a cell take one more label, above those that it has."""
    place = sub.alive[cell]
    sub.label[cell, place] = label
    sub.own[cell, place] = cost
    sub.holds[cell, label] = 1
    sub.work[KINDS_HELD, cell] |= 1 << sub.kind[label]
    sub.alive[cell] = place + 1


@small
def note_kinds(cell: int, sub: Subproblem) -> None:
    """Note which kinds of labels a cell may take, after some have gone; none for a cell that is decided."""
    held = 0
    if sub.alive[cell] > 1:
        for place in range(sub.alive[cell]):
            held |= 1 << sub.kind[sub.label[cell, place]]
    else:
        sub.holds[cell, sub.label[cell, 0]] = 0
    sub.work[KINDS_HELD, cell] = held


@small
def keep_only(cell: int, kept: int, sub: Subproblem) -> None:
    """Leave a cell only the label at one place."""
    for place in range(sub.alive[cell]):
        sub.holds[cell, sub.label[cell, place]] = 0
    sub.label[cell, 0] = sub.label[cell, kept]
    sub.own[cell, 0] = sub.own[cell, kept]
    sub.alive[cell] = 1
    sub.work[KINDS_HELD, cell] = 0


@small
def cheapest_place(cell: int, sub: Subproblem) -> int:
    """Return the place of the label of lowest own cost."""
    best = 0
    for place in range(1, sub.alive[cell]):
        if sub.own[cell, place] < sub.own[cell, best]:
            best = place
    return best
