from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lightning_comixup.solvers.compiler.jit import entry_point
from lightning_comixup.solvers.compiler.lanes import (
    LANES,
    add,
    count_below,
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
def _compute(matrix: NDArray[np.float64], found: NDArray[np.float64]) -> tuple[float, float, int, int, int]:
    """Write each instruction's result into a row of `found`."""
    first, second = load(matrix, 0, LANES), load(matrix, 1, LANES)
    store(found, 0, 0, add(first, second))
    store(found, 1, 0, subtract(first, second))
    store(found, 2, 0, multiply(first, second))
    store(found, 3, 0, lower(first, second))
    store(found, 4, 0, where_above(first, second, same(1.0), same(-1.0)))
    return lowest(first), total(first), find(first, matrix[0, LANES + 5]), find(first, -7.0), count_below(first, 0.5)


def test_instructions_are_those_of_numpy() -> None:
    matrix = np.random.default_rng(0).random((2, 2 * LANES))
    matrix[0, LANES + 2] = np.inf
    found = np.zeros((5, LANES))
    least, summed, place, nowhere, below = _compute(matrix, found)
    first, second = matrix[:, LANES:]
    assert (found[0] == first + second).all()
    assert (found[1] == first - second).all()
    assert (found[2] == first * second).all()
    assert (found[3] == np.minimum(first, second)).all()
    assert (found[4] == np.where(first > second, 1, -1)).all()
    assert least == first.min()
    assert summed == np.inf
    assert (place, nowhere, below) == (5, LANES, (first < 0.5).sum())


@pytest.mark.parametrize(("size", "expected"), [(0, 0), (1, 8), (8, 8), (9, 16), (23, 24)])
def test_rows_are_padded_to_whole_lanes(size: int, expected: int) -> None:
    assert padded(size) == expected
