"""The data of one subproblem: a grid, what each cell may still take and at which cost, and the working space."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.compiler.jit import small
from lightning_comixup.solvers.compiler.lanes import LANES, aligned_zeros
from lightning_comixup.solvers.half_labels import HALF_INPUTS, HALF_TO_HALF, HALF_TO_INPUT, HALF_TO_OTHER, MOST_HALVES
from lightning_comixup.solvers.slots import Slots

# Rows of `Subproblem.marks`.
PLACE = 0  # the result: the place that each cell takes
TRIAL_PLACE = 1  # another labeling
UNDECIDED = 2  # 1: the cell may take more than one place; 0: it is settled, or there is no cell
CHOICES = 3  # how many places an undecided cell may still take, when last counted; 0 where elimination settled it
FAR = 4  # ½‖z - z'‖² between what the cell takes in the trial and an input that it does not hold; 0 where settled
_MARK_ROWS = 5

# Rows of `Subproblem.work`: one entry per slot, except the steps, which take two.
BLOCKS = 0  # the blocks with undecided cells
COMPONENT = 1  # the first cell of the cell's component; DECIDED if the cell is in none
ORDER = 2  # the cells of the component at hand, in the order of the programme
TRIAL = 3  # another order, to compare with
FRONTIER = 4  # the cells of the frontier, most significant digit first
PENDING = 5  # neighbours in the component that are still to come
RADIX = 6  # how many places the cell of a component may still take
DIGIT = 7  # which of these is taken
STEP_CELL = 8  # the cell of each step of the programme
STEP_STRIDE = 9  # 0: the cell was added; else: minimised out, its digit having this place value
STALE = 10  # 1: dead-end elimination looks at this block again
_WORK_ROWS = 11

DECIDED = -1

# Directions of a grid of two axes.
PLANAR = 4

# Table entries beyond which a component is given up: 10 MB a thread, a few milliseconds. Heuristic: no subproblem of
# the recorded groups needs as many, nor any at 4 x 4 cells of the flatter saliency of digits.
TABLE_CAP = 1 << 20


class Subproblem(NamedTuple):
    """Minimise Σ_s own[l_s, s] + Σ_(s,t) pairwise[l_s, l_t] over the places l.

    Places number the labels that any cell may take: first the half labels, those offered being the last of MOST_HALVES;
    then inputs, if half labels are offered theirs first, most used first. A place that a cell may not take, or no
    longer, costs infinity there. Cells are in slots: see `slots`.
    The tuple is flat: kernels read it through a reference, which has no nested ones.
    """

    slot: NDArray[np.int64]  # (cells,) and the next four: see `Slots`
    blocks: NDArray[np.int64]
    offset: NDArray[np.int64]
    edges: NDArray[np.float64]
    order: NDArray[np.int64]
    smoothness: float
    unary: NDArray[np.float64]  # (inputs, slots)
    pairwise: NDArray[np.float64]  # (places, places), the smoothness weight included
    link: NDArray[np.float64]  # (2 d, slots) 1: the edge to the neighbour is still to be paid for
    own: NDArray[np.float64]  # (places, slots) costs, with the edges to settled cells
    held: NDArray[np.float64]  # (places, slots) 1: the cell is undecided and may take the place
    message: NDArray[np.float64]  # (2 d x places, slots) what each neighbour adds to the costs: see `messages`
    taken: NDArray[np.float64]  # (places, slots) the share of each input in the trial labeling; 0 where settled
    rows: NDArray[np.float64]  # (2 x places, LANES) working space
    marks: NDArray[np.float64]  # (_MARK_ROWS, slots)
    settled: NDArray[np.float64]  # (1,) what the settled cells cost, with the edges between them
    work: NDArray[np.int64]  # (_WORK_ROWS, 2 slots)
    left: NDArray[np.int64]  # (slots, places) the places that an undecided cell may still take
    table: NDArray[np.float64]  # (cap,) cheapest cost of each assignment of the frontier
    choices: NDArray[np.uint16]  # (cap,) the digit taken where a cell was minimised out


def _pairwise(places: int, smoothness: float) -> NDArray[np.float64]:
    """Return β/2 ‖z - z'‖² between all places."""
    pairwise = np.full((places, places), smoothness)
    pairwise[:MOST_HALVES] = pairwise[:, :MOST_HALVES] = HALF_TO_OTHER * smoothness
    pairwise[:MOST_HALVES, :MOST_HALVES] = HALF_TO_HALF * smoothness
    for half, pair in enumerate(HALF_INPUTS):
        for used in pair:
            pairwise[half, MOST_HALVES + used] = pairwise[MOST_HALVES + used, half] = HALF_TO_INPUT * smoothness
    np.fill_diagonal(pairwise, 0.0)
    return pairwise


class Tables(NamedTuple):
    """The tables of the dynamic programme; any subproblem may use them, one at a time."""

    table: NDArray[np.float64]
    choices: NDArray[np.uint16]


def new_tables(cap: int = TABLE_CAP) -> Tables:
    """Allocate tables of as many entries."""
    return Tables(np.empty(cap), np.empty(cap, np.uint16))


def new_subproblem(slots: Slots, inputs: int, smoothness: float, tables: Tables) -> Subproblem:
    """Allocate a subproblem.

    Args:
        slots: The grid.
        inputs: How many inputs there are to choose from.
        smoothness: The weight β/S.
        tables: Components that need more entries are given up.
    """
    directions, size = slots.edges.shape
    places = max(inputs, MOST_HALVES) + MOST_HALVES
    return Subproblem(
        slot=slots.slot,
        blocks=slots.blocks,
        offset=slots.offset,
        edges=slots.edges,
        order=slots.order,
        smoothness=smoothness,
        unary=aligned_zeros(inputs, size),
        pairwise=_pairwise(places, smoothness),
        link=aligned_zeros(directions, size),
        own=aligned_zeros(places, size),
        held=aligned_zeros(places, size),
        message=aligned_zeros(directions * places, size),
        taken=aligned_zeros(places, size),
        rows=aligned_zeros(2 * places, LANES),
        marks=aligned_zeros(_MARK_ROWS, size),
        settled=np.zeros(1),
        work=np.zeros((_WORK_ROWS, 2 * size), np.int64),
        left=np.empty((size, places), np.int64),
        table=tables.table,
        choices=tables.choices,
    )


@small
def neighbour_of(cell: int, direction: int, sub: Subproblem) -> int:
    """Return the slot of the undecided neighbour in one direction of an undecided cell's; -1 if there is none."""
    return cell + sub.offset[direction] if sub.link[direction, cell] > 0.0 else -1
