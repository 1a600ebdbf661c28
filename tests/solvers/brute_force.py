"""The reference for subproblems: the cheapest labeling, found by listing all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def all_labeling_costs(
    cost: NDArray[np.float64], pairwise: NDArray[np.float64], grid: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return the cost of every labeling, in an array with one axis per cell that is indexed by the cell's label.

    Args:
        cost: (cells, labels).
        pairwise: (labels, labels).
        grid: Shape of the grid.
    """
    cells, labels = cost.shape
    positions = list(np.ndindex(grid))
    total = np.zeros((labels,) * cells)
    for s in range(cells):
        total = total + cost[s].reshape(*(1,) * s, labels, *(1,) * (cells - s - 1))
        for t in range(s + 1, cells):
            if sum(abs(a - b) for a, b in zip(positions[s], positions[t], strict=True)) == 1:
                shape = [1] * cells
                shape[s] = shape[t] = labels
                total = total + pairwise.reshape(shape)
    return total


def half_square_distances(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ½‖z - z'‖² for all pairs of rows."""
    return np.asarray(0.5 * ((vectors[:, None] - vectors[None]) ** 2).sum(-1))
