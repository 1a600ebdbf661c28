"""One group as the compiled solver sees it: the problem and the labeling with its counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.energy import capacity
from lightning_comixup.solvers.compiler.lanes import padded
from lightning_comixup.solvers.half_labels import MOST_HALVES

# Rows of `State.moves`, named in `shares` and `settling`.
MOVE_ROWS = 7


class Group(NamedTuple):
    """One group's problem, the weights scaled by the number of cells (β/S, γ/S, τ·S); rows padded to whole lanes."""

    inputs: int
    unary: NDArray[np.float64]  # (cells, padded inputs), the prior included; padded with infinity
    spread: NDArray[np.float64]  # (inputs, padded inputs) A transposed: row k is what input k adds to each load
    matrix: NDArray[np.float64]  # (inputs, padded inputs) A: row k is what input k pays for each input used too much
    neighbours: NDArray[np.int64]  # (cells, 2 d), -1 beyond the border
    smoothness: float
    diversity: float
    penalty_threshold: float
    soft: bool
    sweeps: int
    resolve_duplicates: bool


class State(NamedTuple):
    """The labeling of every output, as two inputs per cell (the same one twice: a single input), and working space.

    Rows over the inputs are padded with zeros.
    """

    first: NDArray[np.int64]  # (outputs, cells)
    second: NDArray[np.int64]  # (outputs, cells)
    counts: NDArray[np.float64]  # (outputs, inputs) cells from each input
    totals: NDArray[np.float64]  # (1, inputs) their sum over the outputs
    spread: NDArray[np.float64]  # (outputs, inputs) the counts times Aᵀ: see `diversity`
    paying: NDArray[np.float64]  # (outputs, inputs) the counts times A
    load: NDArray[np.float64]  # (1, inputs) the sum of `spread` over the outputs
    diversity: NDArray[np.float64]  # (1,) the diversity term of the energy
    extra: NDArray[np.float64]  # (outputs, inputs) what resolving duplicates adds to the penalty
    seen: NDArray[np.float64]  # (outputs, 2 x inputs) inputs open to an output, and its counts, when last solved
    extremes: NDArray[np.float64]  # (2, inputs) lowest and highest unary over the cells
    added: NDArray[np.float64]  # (2, inputs) what an output pays for each input at every cell; and working space
    moves: NDArray[np.float64]  # (MOVE_ROWS, inputs): see `shares` and `settling`
    halves: NDArray[np.int64]  # (2, MOST_HALVES) the pairs of the half labels offered, in the last columns
    used: NDArray[np.int64]  # (MOST_HALVES,) the inputs of the half labels, the most used first
    candidates: NDArray[np.int64]  # (MOST_HALVES + inputs,) the input of each place of the subproblem
    best: NDArray[np.int64]  # (2, outputs, cells) the labeling of lowest energy
    aside: NDArray[np.int64]  # (2, cells) an output's labeling while another is tried


def new_group(inputs: int, neighbours: NDArray[np.int64], parameters: Hyperparameters) -> Group:
    """Allocate a group whose problem is yet to be read."""
    cells = neighbours.shape[0]
    return Group(
        inputs=inputs,
        unary=np.full((cells, padded(inputs)), np.inf),
        spread=np.zeros((inputs, padded(inputs))),
        matrix=np.zeros((inputs, padded(inputs))),
        neighbours=neighbours,
        smoothness=parameters.smoothness / cells,
        diversity=parameters.diversity / cells,
        penalty_threshold=capacity(parameters, cells),
        soft=parameters.thresholding == "soft",
        sweeps=parameters.sweeps,
        resolve_duplicates=parameters.resolve_duplicates,
    )


def new_state(group: Group, outputs: int) -> State:
    """Allocate labeling and working space for one group."""
    cells, width = group.unary.shape
    rows = np.zeros((4 * outputs + 2 + 2 + MOVE_ROWS, width), np.float64)
    fixed = 4 * outputs
    return State(
        first=np.empty((outputs, cells), np.int64),
        second=np.empty((outputs, cells), np.int64),
        counts=rows[:outputs],
        totals=rows[fixed : fixed + 1],
        spread=rows[outputs : 2 * outputs],
        paying=rows[2 * outputs : 3 * outputs],
        load=rows[fixed + 1 : fixed + 2],
        diversity=np.zeros(1, np.float64),
        extra=rows[3 * outputs : fixed],
        seen=np.empty((outputs, 2 * width), np.float64),
        extremes=np.zeros((2, width)),
        added=rows[fixed + 2 : fixed + 4],
        moves=rows[fixed + 4 :],
        halves=np.empty((2, MOST_HALVES), np.int64),
        used=np.empty(MOST_HALVES, np.int64),
        candidates=np.zeros(MOST_HALVES + width, np.int64),
        best=np.empty((2, outputs, cells), np.int64),
        aside=np.empty((2, cells), np.int64),
    )
