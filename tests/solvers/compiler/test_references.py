from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from lightning_comixup.solvers.compiler.jit import entry_point, kernel
from lightning_comixup.solvers.compiler.references import pin, reference_like


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


def _parts(weight: float, soft: bool) -> _Parts:
    # Every second column: the strides are not those of a contiguous matrix.
    return _Parts(np.arange(24.0).reshape(3, 8)[:, ::2], weight, np.zeros(2, np.bool_), soft)


_follow = reference_like(_parts(0.5, True))


@entry_point
def _change_at(first: int, second: int) -> float:
    return _change(_follow(first)) + _change(_follow(second))


def _pin(parts: _Parts) -> NDArray[np.int64]:
    return pin(parts, _parts(0.5, True))


def test_kernels_read_and_write_what_is_pinned() -> None:
    first, second = _parts(0.5, True), _parts(2.0, False)
    pinned = _pin(first), _pin(second)
    reached = _change_at(pinned[0].ctypes.data, pinned[1].ctypes.data)
    assert reached == sum(12 * weight + 100 * 13 * weight + 4 for weight in (0.5, 2.0))
    assert first.rows[1, 2] == second.rows[1, 2] == 13
    assert first.marks.tolist() == [False, True]
    assert second.marks.tolist() == [False, False]


def test_two_references_to_one_tuple_share_its_arrays() -> None:
    parts = _parts(1.0, True)
    pinned = _pin(parts)
    assert _change_at(pinned.ctypes.data, pinned.ctypes.data) == (12 + 1300 + 4) + (13 + 1400 + 4)
    assert parts.rows[1, 2] == 14


def test_other_types_are_not_pinned() -> None:
    parts = _parts(1.0, True)
    read_only = parts.rows[:]
    read_only.flags.writeable = False
    rows: list[Any] = [parts.rows.astype(np.float32), parts.rows.ravel(), read_only]
    rows += [np.ascontiguousarray(parts.rows), np.asfortranarray(parts.rows)]
    for other in (*(parts._replace(rows=array) for array in rows), parts._replace(weight=1)):
        with pytest.raises(TypeError, match="What is pinned must be of the type"):
            _pin(other)
