from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lightning_comixup.solvers.compiler.jit import entry_point
from lightning_comixup.solvers.compiler.lanes import (
    CACHE_LINE,
    LANES,
    add,
    aligned_zeros,
    any_above,
    divide,
    find,
    load,
    lower,
    lowest,
    multiply,
    padded,
    same,
    store,
    subtract,
    total,
    where_above,
)


@entry_point
def _compute(matrix: NDArray[np.float64], found: NDArray[np.float64]) -> tuple[float, float, int, int, bool, bool]:
    """Write each instruction's result into a row of `found`."""
    first, second = load(matrix, 0, LANES), load(matrix, 1, LANES)
    store(found, 0, 0, add(first, second))
    store(found, 1, 0, subtract(first, second))
    store(found, 2, 0, multiply(first, second))
    store(found, 3, 0, lower(first, second))
    store(found, 4, 0, where_above(first, second, same(1.0), same(-1.0)))
    store(found, 5, 0, divide(first, second))
    least, summed = lowest(first), total(first)
    place, nowhere = find(first, matrix[0, LANES + 3]), find(first, -7.0)
    return least, summed, place, nowhere, any_above(first, same(1e9)), any_above(second, same(1.0))


def test_instructions_are_those_of_numpy() -> None:
    matrix = np.random.default_rng(0).random((2, 2 * LANES))
    matrix[0, LANES + 2] = np.inf
    found = np.zeros((6, LANES))
    least, summed, place, nowhere, above, none = _compute(matrix, found)
    first, second = matrix[:, LANES:]
    assert (found[0] == first + second).all()
    assert (found[1] == first - second).all()
    assert (found[2] == first * second).all()
    assert (found[3] == np.minimum(first, second)).all()
    assert (found[4] == np.where(first > second, 1, -1)).all()
    assert (found[5] == first / second).all()
    assert least == first.min()
    assert summed == np.inf
    assert (place, nowhere) == (3, LANES)
    assert above
    assert not none


@pytest.mark.parametrize(("size", "expected"), [(0, 0), (1, 4), (4, 4), (5, 8), (23, 24)])
def test_rows_are_padded_to_whole_lanes(size: int, expected: int) -> None:
    assert padded(size) == expected


@pytest.mark.parametrize("rows", [1, 3])
def test_aligned_rows_start_at_whole_cache_lines(rows: int) -> None:
    for _ in range(5):
        matrix = aligned_zeros(rows, 2 * CACHE_LINE)
        assert matrix.shape == (rows, 2 * CACHE_LINE)
        assert matrix.ctypes.data % (8 * CACHE_LINE) == 0
        assert not matrix.any()
