"""The data of one subproblem: a grid, its costs, what each cell may still take, and the working space."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.jit import kernel

# Rows of `Subproblem.work`: one entry per cell, except the steps, which take two.
LABELING = 0  # the result: the label of each cell
COMPONENT = 1  # the component's name; DECIDED, or BEYOND_CAP
ORDER = 2  # the cells of the component at hand, in the order of the programme
TRIAL = 3  # another order, to compare with
STALE = 4  # cells that dead-end elimination looks at again
FRONTIER = 5  # the cells of the frontier, most significant digit first
PENDING = 6  # neighbours in the component that are still to come
DIGIT = 7  # the place taken in each cell's domain
STEP_CELL = 8  # the cell of each step of the programme
STEP_STRIDE = 9  # 0: the cell was added; else: minimised out, its digit having this place value
_WORK_ROWS = 10

DECIDED = -1
BEYOND_CAP = -2


class Subproblem(NamedTuple):
    """Minimise Σ_s cost_s(l_s) + Σ_(s,t) pairwise(l_s, l_t), each l_s among what cell s may still take.

    Row s of `label` and `cost` holds that in its first `alive[s]` places. Solving uses the domains up. The tuple is
    flat and its arrays are few: Numba compiles nested tuples and long argument lists several times more slowly.
    """

    neighbours: NDArray[np.int32]  # (cells, 2 d), -1 beyond the border
    rank: NDArray[np.int32]  # (d, cells) place of each cell when axis k varies slowest
    reach: NDArray[np.float64]  # (cells,) the most that a cell's edges can cost
    pairwise: NDArray[np.float64]  # (labels, labels), the smoothness weight included
    label: NDArray[np.int32]  # (cells, labels)
    cost: NDArray[np.float64]  # (cells, labels)
    alive: NDArray[np.int32]  # (cells,)
    own: NDArray[np.float64]  # (cells, labels) cost with what the decided neighbours add, for undecided cells
    total: NDArray[np.float64]  # (cells, labels) own cost plus the shares of the edges
    message: NDArray[np.float64]  # (cells, 2 d, labels) the share of each edge
    work: NDArray[np.int32]  # (_WORK_ROWS, 2 cells)
    table: NDArray[np.float64]  # (cap,) cheapest cost of each assignment of the frontier
    choices: NDArray[np.uint16]  # (cap,) the digit taken where a cell was minimised out


@kernel
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
        pairwise,
        np.empty((cells, labels), np.int32),
        np.empty((cells, labels), np.float64),
        np.empty(cells, np.int32),
        np.empty((cells, labels), np.float64),
        np.empty((cells, labels), np.float64),
        np.empty((cells, neighbours.shape[1], labels), np.float64),
        np.empty((_WORK_ROWS, 2 * cells), np.int32),
        np.empty(cap, np.float64),
        np.empty(cap, np.uint16),
    )
