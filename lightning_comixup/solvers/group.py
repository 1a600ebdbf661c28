"""One group as the compiled solver sees it: the problem and the labeling with its counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.half_labels import MOST_HALVES
from lightning_comixup.solvers.jit import allocator, kernel
from lightning_comixup.solvers.loops import fill_rows


class Group(NamedTuple):
    """One group's problem, the weights scaled by the number of cells (β/S, γ/S, τ·S)."""

    unary: NDArray[np.float64]  # (cells, inputs), the prior included
    spread: NDArray[
        np.float64
    ]  # (inputs, inputs) the compatibility transposed: row k is what input k adds to each load
    neighbours: NDArray[np.int32]  # (cells, 2 d), -1 beyond the border
    rank: NDArray[np.int32]  # (d, cells) place of each cell when axis k varies slowest
    smoothness: float
    diversity: float
    penalty_threshold: float
    soft: bool
    sweeps: int
    resolve_duplicates: bool
    tolerance: float  # relative change of the energy below which the sweeps stop
    cap: int  # table entries beyond which a component is left to the second method


class State(NamedTuple):
    """The labeling of every output, as two inputs per cell (the same one twice: a single input), and working space."""

    first: NDArray[np.int32]  # (outputs, cells)
    second: NDArray[np.int32]  # (outputs, cells)
    counts: NDArray[np.int32]  # (outputs, inputs) cells from each input, in halves
    totals: NDArray[np.int32]  # (inputs,) their sum over the outputs
    extra: NDArray[np.float64]  # (outputs, inputs) what resolving duplicates adds to the penalty
    extremes: NDArray[np.float64]  # (2, inputs) lowest and highest unary over the cells
    cost: NDArray[np.float64]  # (cells, inputs + MOST_HALVES) costs of the subproblem, filled when needed
    halves: NDArray[np.int32]  # (3, MOST_HALVES) the pairs of the half labels; the last row is working space
    vectors: NDArray[np.float64]  # (3, inputs + MOST_HALVES): see `diversity.penalty`
    candidates: NDArray[np.int32]  # (inputs + MOST_HALVES,)
    labeling: NDArray[np.int32]  # (2, cells)
    aside: NDArray[np.int32]  # (2, cells) an output's labeling while another is tried
    marks: NDArray[np.bool_]  # (max(cells, inputs),)


@allocator
def new_state(group: Group, outputs: int) -> State:
    """Allocate labeling and working space for one group."""
    cells, inputs = group.unary.shape
    labels = inputs + MOST_HALVES
    extremes = np.empty((2, inputs), np.float64)
    for label in range(inputs):
        extremes[0, label] = np.inf
        extremes[1, label] = -np.inf
        for cell in range(cells):
            extremes[0, label] = min(extremes[0, label], group.unary[cell, label])
            extremes[1, label] = max(extremes[1, label], group.unary[cell, label])
    return State(
        np.empty((outputs, cells), np.int32),
        np.empty((outputs, cells), np.int32),
        np.empty((outputs, inputs), np.int32),
        np.empty(inputs, np.int32),
        np.empty((outputs, inputs), np.float64),
        extremes,
        np.empty((cells, labels), np.float64),
        np.empty((3, MOST_HALVES), np.int32),
        np.empty((3, labels), np.float64),
        np.empty(labels, np.int32),
        np.empty((2, cells), np.int32),
        np.empty((2, cells), np.int32),
        np.empty(max(cells, inputs), np.bool_),
    )


@kernel
def count_output(output: int, sign: int, state: State) -> None:
    """Add what an output uses to the counts, or with -1 take it off."""
    for cell in range(state.first.shape[1]):
        first, second = state.first[output, cell], state.second[output, cell]
        state.counts[output, first] += sign
        state.counts[output, second] += sign
        state.totals[first] += sign
        state.totals[second] += sign


@kernel
def recount(state: State) -> None:
    """Set the counts from the labeling."""
    fill_rows(state.counts, 0)
    for label in range(state.totals.shape[0]):
        state.totals[label] = 0
    for output in range(state.first.shape[0]):
        count_output(output, 1, state)
