"""Half labels: cells that take two inputs, half of each, and how far apart cells are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.compiler.jit import small
from lightning_comixup.solvers.compiler.lanes import add, load, store

# The pairwise halves of the three most used inputs (the authors' choice).
MOST_HALVES = 3
# The two inputs of each half label, numbered by their use. The last is offered first, the others together with it.
HALF_INPUTS = ((1, 2), (0, 2), (0, 1))
# ½‖z - z'‖² between a half label and one of its inputs or another half label that shares one (as any two of the
# pairwise halves of three inputs do), and between a half label and any other input. The authors' table has ¼, 1 and 1:
# the exact solver does not need what their swap moves need.
HALF_TO_INPUT = 0.25
HALF_TO_HALF = 0.25
HALF_TO_OTHER = 0.75
# How much nearer a half label is than an input, to what holds nothing of either.
HALF_NEARER = 1.0 - HALF_TO_OTHER


@small
def half_square_distance(first: int, second: int, other_first: int, other_second: int) -> float:
    """Return ½‖z - z'‖² of two cells, each the mean of two unit vectors (the same one twice: a single input)."""
    norm = 1.0 if first == second else 0.5
    other_norm = 1.0 if other_first == other_second else 0.5
    matches = (first == other_first) + (first == other_second) + (second == other_first) + (second == other_second)
    return 0.5 * (norm + other_norm) - 0.25 * matches


@small
def sum_of_inputs(rows: NDArray[np.float64], half: int, column: int) -> Any:
    """Return the sum of the rows of a half label's two inputs, in lanes; rows by place."""
    one, other = MOST_HALVES + HALF_INPUTS[half][0], MOST_HALVES + HALF_INPUTS[half][1]
    return add(load(rows, one, column), load(rows, other, column))


@small
def add_to_inputs(rows: NDArray[np.float64], half: int, column: int, values: Any) -> None:
    """Add to the rows of a half label's two inputs, in lanes; rows by place."""
    for side in range(2):
        used = MOST_HALVES + HALF_INPUTS[half][side]
        store(rows, used, column, add(load(rows, used, column), values))
