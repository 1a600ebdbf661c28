"""Which outputs are solved again after the others have changed."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.grid import lattice
from lightning_comixup.solvers.compiler.jit import entry_point, source_fingerprint
from lightning_comixup.solvers.counts import count_all
from lightning_comixup.solvers.group import Group, State, new_group, new_state
from lightning_comixup.solvers.loops import fill_rows
from lightning_comixup.solvers.repeats import UNSEEN, note_solved, notice_change

_CELLS = 4
_LIMIT = 2  # of the others' cells of an input, with the threshold of 0.5


def _compile(fingerprint: int):  # type: ignore[no-untyped-def]
    @entry_point
    def first_is_solved_again(before: np.ndarray, after: np.ndarray, group: Group, state: State) -> tuple[bool, int]:
        """Note output 0 as solved with the first labeling; whether it is solved again with the second."""
        fill_rows(state.extra, 0.0)
        fill_rows(state.seen, UNSEEN)
        state.first[:] = before
        state.second[:] = before
        count_all(group, state)
        unseen = notice_change(0, group, state)
        note_solved(0, group, state)
        state.first[:] = after
        state.second[:] = after
        count_all(group, state)
        return notice_change(0, group, state) and unseen, fingerprint

    return first_is_solved_again


_first_is_solved_again = _compile(source_fingerprint())


def _output(*uses: int) -> list[int]:
    """An output that takes so many cells of each input."""
    cells = [label for label, count in enumerate(uses) for _ in range(count)]
    assert len(cells) == _CELLS
    return cells


_ALONE = _output(0, 0, 0, 4)  # others that leave the first three inputs alone


@pytest.mark.parametrize(
    ("before", "after", "again"),
    [
        # The first output holds input 0 alone.
        ([_output(4), _ALONE, _ALONE], [_output(4), _ALONE, _ALONE], False),
        ([_output(4), _ALONE, _ALONE], [_output(3, 1), _ALONE, _ALONE], True),  # it holds something else now
        ([_output(4), _ALONE, _ALONE], [_output(4), _output(0, 3, 0, 1), _ALONE], False),  # input 1, not held, closed
        ([_output(4), _output(0, 3, 0, 1), _ALONE], [_output(4), _ALONE, _ALONE], True),  # input 1 opened
        ([_output(4), _ALONE, _ALONE], [_output(4), _output(3, 0, 0, 1), _ALONE], True),  # input 0, held, closed
        ([_output(4), _output(0, 3, 0, 1), _ALONE], [_output(4), _output(0, 4), _ALONE], False),  # closed even more
        ([_output(4), _ALONE, _ALONE], [_output(4), _output(0, _LIMIT, 0, 2), _ALONE], False),  # at the limit: open
    ],
)
def test_an_output_is_solved_again_when_something_may_be_better(
    before: list[list[int]], after: list[list[int]], again: bool
) -> None:
    parameters = Hyperparameters(penalty_threshold=_LIMIT / _CELLS, compatibility_weight=0.0)
    group = new_group(_CELLS, lattice((_CELLS,)).neighbours, parameters)
    np.fill_diagonal(group.spread, 1.0)
    np.fill_diagonal(group.matrix, 1.0)
    found, _ = _first_is_solved_again(np.array(before), np.array(after), group, new_state(group, len(before)))
    assert found == again


def test_with_a_soft_threshold_everything_counts_as_changed() -> None:
    group = new_group(_CELLS, lattice((_CELLS,)).neighbours, Hyperparameters(thresholding="soft"))
    same = np.array([_output(4), _ALONE])
    assert _first_is_solved_again(same, same, group, new_state(group, 2))[0]
