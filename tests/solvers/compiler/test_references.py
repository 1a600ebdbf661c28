from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.compiler.jit import entry_point, kernel
from lightning_comixup.solvers.compiler.references import pin, refer, reference_like


class _Parts(NamedTuple):
    rows: NDArray[np.float64]
    weight: float
    marks: NDArray[np.bool_]
    soft: bool


@kernel
def _change(parts: _Parts) -> float:
    """Write between two reads of the same field, so that a stale or a moved read gives another number."""
    before = parts.rows[1, 2] * parts.weight
    parts.rows[1, 2] += 1.0
    parts.marks[1] = parts.soft
    return before + 100.0 * parts.rows[1, 2] * parts.weight + parts.rows.shape[1]


@entry_point
def _change_by_reference(first: _Parts, second: _Parts) -> float:
    return _change(refer(first)) + _change(refer(second))


def _parts(weight: float, soft: bool) -> _Parts:
    # Every second column: the strides are not those of a contiguous matrix.
    return _Parts(np.arange(24.0).reshape(3, 8)[:, ::2], weight, np.zeros(2, np.bool_), soft)


def test_kernels_read_and_write_through_references() -> None:
    first, second = _parts(0.5, True), _parts(2.0, False)
    reached = _change_by_reference(first, second)
    assert reached == sum(12 * weight + 100 * 13 * weight + 4 for weight in (0.5, 2.0))
    assert first.rows[1, 2] == second.rows[1, 2] == 13
    assert first.marks.tolist() == [False, True]
    assert second.marks.tolist() == [False, False]


def test_two_references_to_one_tuple_share_its_arrays() -> None:
    parts = _parts(1.0, True)
    assert _change_by_reference(parts, parts) == (12 + 1300 + 4) + (13 + 1400 + 4)
    assert parts.rows[1, 2] == 14


_follow = reference_like(_parts(0.5, True))


@entry_point
def _change_at(address: int) -> float:
    return _change(_follow(address))


def test_kernels_read_and_write_what_is_pinned() -> None:
    parts = _parts(0.5, True)
    pinned = pin(parts)
    assert _change_at(pinned.ctypes.data) == 12 * 0.5 + 100 * 13 * 0.5 + 4
    assert parts.rows[1, 2] == 13
    assert parts.marks.tolist() == [False, True]
