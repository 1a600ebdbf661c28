"""The label grid: the cell of each pixel, the mean over each cell, and the neighbours of each cell.

Pooling and upsampling share one map from pixels to cells, `cell_of`, so that they agree at any size.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_comixup.hyperparameters import GridSize

# The finest grid that "random" draws (the authors': 2 ** randint(1, 5)).
_FINEST_RANDOM_GRID = 16


def resolve_grid(
    grid_size: GridSize,
    spatial: tuple[int, ...],
    make_generator: Callable[[], np.random.Generator],
    advice: str = "",
) -> tuple[int, ...]:
    """Return the number of cells along each spatial dimension.

    Args:
        grid_size: See `Hyperparameters`.
        spatial: The inputs' spatial sizes.
        make_generator: Makes the generator that draws the size if it is "random". The size is one of the powers of two
            up to 16 that fit every side.
        advice: The last sentence of the error message, or "".

    Raises:
        ValueError: If the grid is finer than the inputs or has a different number of dimensions.
    """
    if grid_size == "random":
        sizes = [2**k for k in range(1, _FINEST_RANDOM_GRID.bit_length()) if 2**k <= min(spatial)]
        return (int(make_generator().choice(sizes)) if sizes else 1,) * len(spatial)
    grid = grid_size if isinstance(grid_size, tuple) else (int(grid_size),) * len(spatial)
    check_grid(grid, spatial, advice=advice)
    return grid


def check_grid(grid: tuple[int, ...], spatial: tuple[int, ...], name: str = "the inputs", advice: str = "") -> None:
    """Check that a grid fits inputs, which the error message calls `name`; `advice` ends that message.

    Raises:
        ValueError: If the grid is finer than the inputs or has a different number of dimensions.
    """
    if len(grid) != len(spatial):
        raise ValueError(
            f"grid_size must have one entry per spatial dimension: found {grid} for {name} of spatial size {spatial}. "
            "Give an int, or one int per dimension. Parts that are mixed together must have equally many dimensions."
            f"{advice and ' ' + advice}"
        )
    if any(cells > size for cells, size in zip(grid, spatial, strict=True)):
        raise ValueError(
            f"grid_size must not exceed the spatial size of {name}: found {grid} cells for {spatial}. Lower grid_size."
            f"{advice and ' ' + advice}"
        )


def cell_of(size: int, cells: int, device: torch.device | None = None) -> Tensor:
    """Return the cell of each position along one axis, floor(position · cells / size): (size,) int64."""
    return torch.arange(size, device=device) * cells // size


def pool_to_grid(maps: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Average maps over the cells of a grid.

    Args:
        maps: (N, *spatial), floating-point, possibly with more dimensions before the spatial ones.
        grid: Cells along each spatial dimension.

    Returns:
        (N, *grid), with the dtype and device of the maps.
    """
    for axis, cells in enumerate(grid, start=maps.ndim - len(grid)):
        size = maps.shape[axis]
        if size % cells == 0:
            maps = maps.reshape(*maps.shape[:axis], cells, size // cells, *maps.shape[axis + 1 :]).mean(axis + 1)
        else:
            maps = _average_uneven(maps, axis, cells)
    return maps


def _average_uneven(maps: Tensor, axis: int, cells: int) -> Tensor:
    """Average along an axis that the cells do not divide evenly: each has `size // cells` positions, or one more.

    A matrix product would be unsuitable: `torch.set_float32_matmul_precision` lets it round to half the digits.
    """
    size = maps.shape[axis]
    # The first position of each cell (the smallest p with p · cells // size = cell), and the end of the last cell.
    bounds = (torch.arange(cells + 1, device=maps.device) * size + cells - 1) // cells
    fewest, count = size // cells, (bounds[1:] - bounds[:-1]).to(maps.dtype)
    place = bounds[:-1].unsqueeze(1) + torch.arange(fewest, device=maps.device)
    total = maps.index_select(axis, place.flatten()).unflatten(axis, (cells, fewest)).sum(axis + 1)
    last = maps.index_select(axis, bounds[1:] - 1)
    shape = [-1 if k == axis else 1 for k in range(maps.ndim)]
    is_longer = (count > fewest).view(shape)
    return torch.where(is_longer, total + last, total) / count.view(shape)


def upsample_nearest(cells: Tensor, spatial: tuple[int, ...]) -> Tensor:
    """Repeat the value of each cell over its pixels: (N, *grid) to (N, *spatial), any dtype."""
    # Start with the last axis, while there is little to copy: repeating neighbours in memory is slowest.
    for axis in range(len(spatial), 0, -1):
        size, count = spatial[axis - 1], cells.shape[axis]
        if size % count == 0:
            copies = cells.unsqueeze(axis + 1).expand(*cells.shape[: axis + 1], size // count, *cells.shape[axis + 1 :])
            cells = copies.flatten(axis, axis + 1)
        else:
            cells = cells.index_select(axis, cell_of(size, count, cells.device))
    return cells


@lru_cache(maxsize=64)
def neighbouring_cells(grid: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the neighbours of each cell, along each axis the one before and the one after: (cells, 2 d).

    A neighbour beyond the border is -1. Never write to the cached array.
    """
    index = np.arange(np.prod(grid)).reshape(grid)
    neighbours = np.full((index.size, 2 * len(grid)), -1, np.int64)
    for axis in range(len(grid)):
        along = np.moveaxis(index, axis, 0)
        neighbours[along[1:].ravel(), 2 * axis] = along[:-1].ravel()
        neighbours[along[:-1].ravel(), 2 * axis + 1] = along[1:].ravel()
    return neighbours
