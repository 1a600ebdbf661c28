from __future__ import annotations

import numpy as np
import pytest

from lightning_comixup.method.grid import lattice
from lightning_comixup.solvers.compiler.lanes import LANES
from lightning_comixup.solvers.slots import slots_of

_GRIDS = [(1,), (9,), (2, 2), (4, 4), (3, 5), (16, 16), (1, 7), (7, 1), (2, 3, 4), (4, 4, 4), (2, 1, 3, 2)]


@pytest.mark.parametrize("grid", _GRIDS)
def test_neighbours_are_one_offset_away_and_beyond_the_border_is_no_cell(grid: tuple[int, ...]) -> None:
    slots, neighbours = slots_of(grid), lattice(grid).neighbours
    cell_at = dict(zip(slots.slot.tolist(), range(len(slots.slot)), strict=True))
    assert len(cell_at) == len(neighbours)
    for cell, beside in enumerate(neighbours):
        for direction, neighbour in enumerate(beside):
            assert cell_at.get(slots.slot[cell] + slots.offset[direction], -1) == neighbour
            assert slots.edges[direction, slots.slot[cell]] == (neighbour >= 0)
    assert slots.edges.sum() == (neighbours >= 0).sum()


@pytest.mark.parametrize("grid", _GRIDS)
def test_blocks_hold_every_cell_in_order_none_beside_another(grid: tuple[int, ...]) -> None:
    slots = slots_of(grid)
    assert (slots.blocks % LANES == 0).all()
    assert (np.diff(slots.blocks) > 0).all()
    assert set(slots.slot // LANES * LANES) == set(slots.blocks.tolist())
    block = slots.slot // LANES
    for cell, beside in enumerate(lattice(grid).neighbours):
        assert (block[beside[beside >= 0]] != block[cell]).all()
        for direction in range(2 * len(grid)):
            if beside[direction] >= 0:
                assert (slots.slot[beside[direction]] > slots.slot[cell]) == bool(direction % 2)


@pytest.mark.parametrize("grid", _GRIDS)
def test_lanes_beside_a_block_are_within_the_slots(grid: tuple[int, ...]) -> None:
    slots = slots_of(grid)
    reached = slots.blocks[:, None] + slots.offset
    assert reached.min() >= 0
    # What is beside a block mostly straddles two.
    assert reached.max() // LANES * LANES + 2 * LANES <= slots.size


@pytest.mark.parametrize("grid", _GRIDS)
def test_each_order_has_one_axis_varying_slowest(grid: tuple[int, ...]) -> None:
    slots = slots_of(grid)
    for axis in range(len(grid)):
        expected = np.moveaxis(slots.slot.reshape(grid), axis, 0).ravel()
        assert slots.order[axis].tolist() == expected.tolist()
