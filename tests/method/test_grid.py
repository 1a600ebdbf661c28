from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lightning_comixup.method.grid import cell_of, neighbouring_cells, pool_to_grid, resolve_grid, upsample_nearest


def test_pooling_is_average_pooling_where_the_grid_divides() -> None:
    maps = torch.rand(3, 32, 16, dtype=torch.float64)
    expected = F.avg_pool2d(maps, (8, 4))
    torch.testing.assert_close(pool_to_grid(maps, (4, 4)), expected)


@pytest.mark.parametrize(("spatial", "grid"), [((7,), (3,)), ((9, 14), (4, 5)), ((5, 6, 7), (2, 5, 3))])
def test_pooling_and_upsampling_agree_cell_by_cell(spatial: tuple[int, ...], grid: tuple[int, ...]) -> None:
    maps = torch.rand(2, *spatial, dtype=torch.float64)
    index = upsample_nearest(torch.arange(int(np.prod(grid))).reshape(1, *grid), spatial)[0]
    pooled = pool_to_grid(maps, grid).flatten(1)
    for cell in range(pooled.shape[1]):
        torch.testing.assert_close(pooled[:, cell], maps[:, index == cell].mean(1))


@pytest.mark.parametrize(("size", "cells"), [(32, 4), (7, 3), (10, 7), (5, 5), (9, 1)])
def test_upsampling_is_nearest_interpolation(size: int, cells: int) -> None:
    values = torch.arange(cells, dtype=torch.float32).reshape(1, 1, cells)
    expected = F.interpolate(values, size=size, mode="nearest")[0, 0]
    assert torch.equal(cell_of(size, cells).float(), expected)
    assert torch.equal(torch.unique(cell_of(size, cells)), torch.arange(cells))  # no empty cell


@pytest.mark.parametrize("grid", [(1,), (5,), (3, 4), (2, 3, 2)])
def test_lattice_joins_cells_at_distance_one(grid: tuple[int, ...]) -> None:
    positions = np.array(list(np.ndindex(grid)))
    distance = np.abs(positions[:, None] - positions[None]).sum(-1)
    found = neighbouring_cells(grid)
    assert found.shape == (len(positions), 2 * len(grid))
    for cell, row in enumerate(found):
        assert sorted(row[row >= 0]) == np.flatnonzero(distance[cell] == 1).tolist()


def test_random_grids_are_powers_of_two_that_fit() -> None:
    draws = np.random.default_rng(0)
    found = {resolve_grid("random", (32, 9), lambda: draws) for _ in range(100)}
    assert found == {(2, 2), (4, 4), (8, 8)}
    assert {resolve_grid("random", (64,), lambda: draws)[0] for _ in range(100)} == {2, 4, 8, 16}
    assert resolve_grid("random", (1, 5), lambda: draws) == (1, 1)
