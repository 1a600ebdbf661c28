from __future__ import annotations

import numpy as np
import pytest

from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.problem import Problem
from lightning_comixup.solvers import arrays as at
from tests.solvers.probe import SEPARATE, make_step


def _extra(*outputs: list[int]) -> tuple[bool, list[list[float]]]:
    start = np.array(outputs)
    problem = Problem(np.full((5, 4), -0.25), np.eye(5), np.full(5, 0.2), start[None], Hyperparameters(diversity=4.0))
    stepped = make_step(problem, step=SEPARATE)
    return bool(stepped.found), stepped.uses[at.EXTRA].tolist()


@pytest.mark.parametrize(
    ("outputs", "alike", "paying"),
    [
        (([0, 0, 1, 1], [0, 1, 1, 1]), True, [(0, 0), (1, 1)]),
        (([0, 0, 1, 1], [0, 2, 2, 2]), False, []),
        (([3, 3, 3, 3], [3, 3, 3, 3]), False, []),  # they use only one input
        (([1, 2, 4, 4], [0, 0, 0, 0], [4, 4, 2, 1]), True, [(0, 1), (2, 2)]),
        (([0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1]), True, [(0, 0), (1, 0), (1, 1), (2, 1)]),
    ],
)
def test_duplicates_get_costs_on_different_inputs(
    outputs: tuple[list[int], ...], alike: bool, paying: list[tuple[int, int]]
) -> None:
    found, extra = _extra(*outputs)
    assert found == alike
    expected = np.zeros((len(outputs), 5))
    for place in paying:
        expected[place] = 1.0  # γ/S
    assert extra == expected.tolist()
