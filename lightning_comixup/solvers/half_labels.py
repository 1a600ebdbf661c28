"""Half labels: which pairs of inputs an output may mix within a cell, and how far apart cells are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.compiler.jit import kernel, small

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
def _most_used(output: int, counts: NDArray[np.float64], taken: NDArray[np.bool_]) -> int:
    best, most = -1, 0.0
    for index in range(counts.shape[1]):
        if counts[output, index] > most and not taken[index]:
            best, most = index, counts[output, index]
    return best


@kernel
def choose_halves(
    output: int,
    counts: NDArray[np.float64],
    taken: NDArray[np.bool_],
    used: NDArray[np.int64],
    pairs: NDArray[np.int64],
) -> int:
    """Choose an output's pairs: of the two inputs in use, or of the three most used; return their number.

    Of inputs used alike the one of lower index counts as more used (the authors leave it to `torch.topk`).
    `used` then lists these inputs, which are `taken`; `pairs` has in its last columns the inputs of the half labels.
    """
    for index in range(counts.shape[1]):
        taken[index] = False
    size = 0
    while size < MOST_HALVES:
        best = _most_used(output, counts, taken)
        if best < 0:
            break
        taken[best] = True
        used[size] = best
        size += 1
    halves = size * (size - 1) // 2
    for half in range(MOST_HALVES - halves, MOST_HALVES):
        first, second = used[HALF_INPUTS[half][0]], used[HALF_INPUTS[half][1]]
        pairs[0, half], pairs[1, half] = min(first, second), max(first, second)
    return halves
