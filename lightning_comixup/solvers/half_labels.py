"""Half labels: which pairs of inputs an output may mix within a cell, their costs and pairwise costs.

A label below N is an input; label N + h is the half-and-half of the pair in column h of `pairs`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.problem import HALF_LABEL_BONUS
from lightning_comixup.solvers.jit import kernel

# The pairwise halves of the three most used inputs (the authors' choice).
MOST_HALVES = 3


@kernel
def half_square_distance(first: int, second: int, other_first: int, other_second: int) -> float:
    """Return ½‖z - z'‖² of two cells, each the mean of two unit vectors (the same one twice: a single input)."""
    norm = 1.0 if first == second else 0.5
    other_norm = 1.0 if other_first == other_second else 0.5
    matches = (first == other_first) + (first == other_second) + (second == other_first) + (second == other_second)
    return 0.5 * (norm + other_norm) - 0.25 * matches


@kernel
def _most_used(counts: NDArray[np.int32], taken: NDArray[np.bool_]) -> int:
    best = -1
    for index in range(counts.shape[0]):
        if not taken[index] and counts[index] > 0 and (best < 0 or counts[index] > counts[best]):
            best = index
    return best


@kernel
def choose_halves(counts: NDArray[np.int32], taken: NDArray[np.bool_], pairs: NDArray[np.int32]) -> int:
    """Choose the pairs: the two inputs in use, or all pairs of the three most used; return their number.

    Of inputs used alike the one of lower index counts as more used (the authors leave it to `torch.topk`).
    `taken` is working space.
    """
    for index in range(taken.shape[0]):
        taken[index] = False
    chosen = np.empty(MOST_HALVES, np.int32)
    size = 0
    while size < MOST_HALVES:
        best = _most_used(counts, taken)
        if best < 0:
            break
        taken[best] = True
        chosen[size] = best
        size += 1
    halves = 0
    for i in range(size):
        for j in range(i + 1, size):
            pairs[0, halves] = min(chosen[i], chosen[j])
            pairs[1, halves] = max(chosen[i], chosen[j])
            halves += 1
    return halves


@kernel
def append_halves(
    inputs: int,
    halves: int,
    pairs: NDArray[np.int32],
    smoothness: float,
    cost: NDArray[np.float64],
    pairwise: NDArray[np.float64],
) -> None:
    """Write the columns of the half labels into `cost` and their rows and columns into `pairwise`.

    The pairwise costs are the true ½‖·‖² (half-constituent ¼, half-other ¾, halves sharing an input ¼), where the
    authors' table has ¼, 1 and 1: the exact solver does not need what their swap moves need.
    """
    for half in range(halves):
        label = inputs + half
        first, second = pairs[0, half], pairs[1, half]
        for cell in range(cost.shape[0]):
            cost[cell, label] = 0.5 * (cost[cell, first] + cost[cell, second]) - HALF_LABEL_BONUS
        for other in range(label):
            other_first = pairs[0, other - inputs] if other >= inputs else other
            other_second = pairs[1, other - inputs] if other >= inputs else other
            distance = smoothness * half_square_distance(first, second, other_first, other_second)
            pairwise[label, other] = distance
            pairwise[other, label] = distance
