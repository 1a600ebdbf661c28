"""The data of one subproblem: a grid, what each cell may still take and at which cost, and the working space."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.grid import Lattice
from lightning_comixup.solvers.compiler.jit import small
from lightning_comixup.solvers.compiler.lanes import LANES, find, load, lowest, padded
from lightning_comixup.solvers.half_labels import HALF_TO_HALF, HALF_TO_OTHER, MOST_HALVES

# Rows of `Subproblem.work`: one entry per cell, except the steps, which take two.
PLACE = 0  # the result: the place that each cell takes
TRIAL_PLACE = 1  # another labeling
CHOICES = 2  # how many places the cell may still take
COMPONENT = 3  # the first cell of the cell's component; DECIDED if the cell is in none
ORDER = 4  # the cells of the component at hand, in the order of the programme
TRIAL = 5  # another order, to compare with
FRONTIER = 6  # the cells of the frontier, most significant digit first
PENDING = 7  # neighbours in the component that are still to come
DIGIT = 8  # which of the cell's places left is taken
STEP_CELL = 9  # the cell of each step of the programme
STALE = 10  # 1: dead-end elimination looks at this cell again
STEP_STRIDE = 11  # 0: the cell was added; else: minimised out, its digit having this place value
_WORK_ROWS = 12

DECIDED = -1

# Table entries beyond which a component is given up: 10 MB a thread, a few milliseconds. Heuristic: no subproblem of
# the recorded groups needs as many, nor any at 4 x 4 cells of the flatter saliency of digits.
TABLE_CAP = 1 << 20


class Subproblem(NamedTuple):
    """Minimise Σ_s own[s, l_s] + Σ_(s,t) pairwise[l_s, l_t] over the places l.

    Places number the labels that any cell may take: first the half labels, MOST_HALVES of them whether or not they are
    offered, then inputs, padded to whole lanes. A place that a cell may not take, or no longer, costs infinity there.
    The tuple is flat and its arrays are few: Numba compiles nested tuples and long argument lists several times more
    slowly.
    """

    rank: NDArray[np.int64]  # (d, cells) place of each cell when axis k varies slowest
    smoothness: float
    pairwise: NDArray[np.float64]  # (places, places), the smoothness weight included
    constituents: NDArray[np.int64]  # (2, MOST_HALVES) places of the inputs of each half label; -1: not among them
    link: NDArray[np.int64]  # (cells, 2 d) the neighbours whose edge is still to be paid for, -1 for others
    own: NDArray[np.float64]  # (cells, places) costs, with the edges to settled cells
    held: NDArray[np.float64]  # (cells + 1, places) 1: the cell is not settled and may take the place; last row: 0
    message: NDArray[np.float64]  # (cells x 2 d, places) what each neighbour adds to the costs: see `bounds`
    rows: NDArray[np.float64]  # (2, places)
    work: NDArray[np.int64]  # (_WORK_ROWS, 2 cells)
    left: NDArray[np.int64]  # (cells, places) the places that an undecided cell may still take
    table: NDArray[np.float64]  # (cap,) cheapest cost of each assignment of the frontier
    choices: NDArray[np.uint16]  # (cap,) the digit taken where a cell was minimised out


def new_subproblem(graph: Lattice, inputs: int, smoothness: float, cap: int = TABLE_CAP) -> Subproblem:
    """Allocate a subproblem with the pairwise costs that do not depend on which inputs are mixed.

    Args:
        graph: The grid.
        inputs: How many inputs there are to choose from.
        smoothness: The weight β/S.
        cap: Table entries beyond which a component is given up.
    """
    cells, directions = graph.neighbours.shape
    places = padded(inputs + MOST_HALVES)
    pairwise = np.full((places, places), smoothness)
    pairwise[:MOST_HALVES] = pairwise[:, :MOST_HALVES] = HALF_TO_OTHER * smoothness
    pairwise[:MOST_HALVES, :MOST_HALVES] = HALF_TO_HALF * smoothness
    np.fill_diagonal(pairwise, 0.0)
    return Subproblem(
        rank=graph.rank,
        smoothness=smoothness,
        pairwise=pairwise,
        constituents=np.full((2, MOST_HALVES), -1),
        link=np.empty((cells, directions), np.int64),
        own=np.empty((cells, places), np.float64),
        held=np.zeros((cells + 1, places), np.float64),
        message=np.empty((cells * directions, places), np.float64),
        rows=np.empty((2, places), np.float64),
        work=np.zeros((_WORK_ROWS, 2 * cells), np.int64),
        left=np.empty((cells, places), np.int64),
        table=np.empty(cap, np.float64),
        choices=np.empty(cap, np.uint16),
    )


@small
def find_lowest(matrix: NDArray[np.float64], row: Any, width: int) -> int:
    """Return the column of the lowest entry of a row, the first of several."""
    least, place = np.inf, 0
    for at in range(0, width, LANES):
        values = load(matrix, row, at)
        here = lowest(values)
        if here < least:
            least, place = here, at + find(values, here)
    return place
