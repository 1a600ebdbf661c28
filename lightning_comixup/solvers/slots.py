"""Slots: the cells of a grid arranged by its diagonals, so that several of one diagonal are treated at once.

Cells whose coordinates have the same sum are no neighbours of each other, and their neighbours lie on the diagonals
before and after. A row of slots holds one diagonal after the other; on each, a cell stands at the flat index of all its
coordinates but the last, the axes lengthened by one. Every neighbour in one direction is then the same number of slots
away, and beyond the border there is a slot without a cell.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.method.grid import lattice
from lightning_comixup.solvers.compiler.lanes import LANES, padded


class Slots(NamedTuple):
    """Where the cells of a grid are; not to be written to."""

    size: int  # the number of slots
    slot: NDArray[np.int64]  # (cells,) of each cell
    blocks: NDArray[np.int64]  # the first slots of the blocks of LANES that hold a cell, in order
    offset: NDArray[np.int64]  # (2 d,) from a slot to that of the neighbour in each direction
    edges: NDArray[np.float64]  # (2 d, slots) 1: there is a neighbour in the direction
    order: NDArray[np.int64]  # (d, cells) the cells with axis k varying slowest


@lru_cache(maxsize=64)
def slots_of(grid: tuple[int, ...]) -> Slots:
    """Arrange the cells of a grid in slots."""
    graph, axes = lattice(grid), len(grid)
    coordinates = np.stack(np.unravel_index(np.arange(prod(grid)), grid))
    # Of the axes but the last, each one longer: what lies beyond the border is not on the next line.
    longer = [side + 1 for side in grid[:-1]]
    strides = np.array([prod(longer[axis + 1 :]) for axis in range(axes - 1)] + [0])
    diagonal = padded(prod(longer))
    ahead = diagonal + strides
    before = 2 * diagonal  # more than any step to a neighbour
    slot = before + coordinates.sum(0) * diagonal + strides @ coordinates
    size = before + (sum(grid) - axes + 1) * diagonal + before
    edges = np.zeros((2 * axes, size))
    edges[:, slot] = (graph.neighbours >= 0).T
    order = np.stack([slot[np.argsort(rank)] for rank in graph.rank])
    blocks = np.unique(slot // LANES * LANES)
    return Slots(size, slot, blocks, np.stack([-ahead, ahead], 1).ravel(), edges, order)
