"""Half labels: which pairs of inputs an output may mix within a cell, their costs and pairwise costs.

A label below N is an input; label N + h is the half-and-half of the pair in column h of `pairs`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.jit import kernel, small
from lightning_comixup.solvers.relations import FIRST_HALF, OTHER, PAIRS

# The pairwise halves of the three most used inputs (the authors' choice).
MOST_HALVES = 3


@small
def half_square_distance(first: int, second: int, other_first: int, other_second: int) -> float:
    """Return ½‖z - z'‖² of two cells, each the mean of two unit vectors (the same one twice: a single input)."""
    norm = 1.0 if first == second else 0.5
    other_norm = 1.0 if other_first == other_second else 0.5
    matches = (first == other_first) + (first == other_second) + (second == other_first) + (second == other_second)
    return 0.5 * (norm + other_norm) - 0.25 * matches


@small
def _most_used(output: int, counts: NDArray[np.int32], taken: NDArray[np.bool_]) -> int:
    best, most = -1, 0
    for index in range(counts.shape[1]):
        if counts[output, index] > most and not taken[index]:
            best, most = index, counts[output, index]
    return best


@kernel
def choose_halves(output: int, counts: NDArray[np.int32], taken: NDArray[np.bool_], pairs: NDArray[np.int32]) -> int:
    """Choose an output's pairs: of the two inputs in use, or of the three most used; return their number.

    Of inputs used alike the one of lower index counts as more used (the authors leave it to `torch.topk`).
    `taken` and the third row of `pairs` are working space.
    """
    for index in range(counts.shape[1]):
        taken[index] = False
    size = 0
    while size < MOST_HALVES:
        best = _most_used(output, counts, taken)
        if best < 0:
            break
        taken[best] = True
        pairs[2, size] = best
        size += 1
    halves = 0
    for i in range(size):
        for j in range(i + 1, size):
            pairs[0, halves] = min(pairs[2, i], pairs[2, j])
            pairs[1, halves] = max(pairs[2, i], pairs[2, j])
            halves += 1
    return halves


@kernel
def relate_labels(
    inputs: int,
    halves: int,
    pairs: NDArray[np.int32],
    smoothness: float,
    pairwise: NDArray[np.float64],
    kind: NDArray[np.int8],
) -> None:
    """Write the rows and columns of the half labels into `pairwise`; note the kinds of all labels.

    The pairwise costs are the true ½‖·‖² (half-constituent ¼, half-other ¾, halves sharing an input ¼), where the
    authors' table has ¼, 1 and 1: the exact solver does not need what their swap moves need.
    """
    for label in range(kind.shape[0]):
        kind[label] = OTHER
    for half in range(halves):
        label = inputs + half
        first, second = pairs[0, half], pairs[1, half]
        # By the order of use: the pairs themselves are sorted by label.
        kind[pairs[2, PAIRS[0][half]]], kind[pairs[2, PAIRS[1][half]]] = PAIRS[0][half], PAIRS[1][half]
        kind[label] = FIRST_HALF + half
        for other in range(label):
            other_first = pairs[0, other - inputs] if other >= inputs else other
            other_second = pairs[1, other - inputs] if other >= inputs else other
            distance = smoothness * half_square_distance(first, second, other_first, other_second)
            pairwise[label, other] = distance
            pairwise[other, label] = distance
