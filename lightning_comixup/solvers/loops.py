"""Copying, filling, searching, as plain loops: Numba compiles NumPy's, with their broadcasting, many times slower."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.compiler.jit import kernel, small
from lightning_comixup.solvers.compiler.lanes import LANES, find, load, lowest


@small
def copy_row(target: NDArray[Any], source: NDArray[Any], size: int) -> None:
    """Set the first `size` entries of a vector from another."""
    for index in range(size):
        target[index] = source[index]


@kernel
def fill_rows(target: NDArray[Any], value: float) -> None:
    """Set every entry of a matrix to one number."""
    for row in range(target.shape[0]):
        for index in range(target.shape[1]):
            target[row, index] = value


@small
def find_lowest(matrix: NDArray[np.float64], row: Any, width: int) -> int:
    """Return the column of the lowest entry of a row, the first of several."""
    least, place = np.inf, 0
    for at in range(0, width, LANES):
        values = load(matrix, row, at)
        here = lowest(values)
        if here < least:
            least, place = here, at + find(values, here)
    return place
