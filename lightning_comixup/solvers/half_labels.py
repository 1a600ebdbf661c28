"""Half labels, which average two inputs in a cell: the choice of those offered, and the distance between cells.

½‖z - z'‖² is ¼ between a half label and one of its inputs, ¾ between it and any other input, and ¼ between two half
labels that share an input. The authors' table has ¼, 1 and 1 instead, which allows only swap moves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers import arrays as at
from lightning_comixup.solvers.compiled import kernel, small

# The pairwise halves of the three most used inputs (the authors' choice).
MOST_HALVES = 3


@small
def half_square_distance(first: int, second: int, other_first: int, other_second: int) -> float:
    """Return ½‖z - z'‖² of two cells, each the mean of two unit vectors (which are equal for a whole cell)."""
    norm = 1.0 if first == second else 0.5
    other_norm = 1.0 if other_first == other_second else 0.5
    matches = (first == other_first) + (first == other_second) + (second == other_first) + (second == other_second)
    return 0.5 * (norm + other_norm) - 0.25 * matches


@kernel
def list_most_used(output: int, uses: NDArray[np.float64], lists: NDArray[np.int64]) -> int:
    """List the most used inputs of an output, at most MOST_HALVES; return their number.

    Among equally used inputs the lower index comes first (the authors leave the order to `torch.topk`).
    """
    size = 0
    for label in range(uses.shape[2]):
        count = uses[at.COUNT, output, label]
        if count > 0.0:
            place = size
            while place > 0 and uses[at.COUNT, output, lists[at.MOST_USED, place - 1]] < count:
                place -= 1
            if place < MOST_HALVES:
                size = min(size + 1, MOST_HALVES)
                for behind in range(size - 1, place, -1):
                    lists[at.MOST_USED, behind] = lists[at.MOST_USED, behind - 1]
                lists[at.MOST_USED, place] = label
    return size
