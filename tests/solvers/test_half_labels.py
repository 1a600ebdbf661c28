from __future__ import annotations

import numpy as np
import pytest

from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.problem import Labeling, Problem
from tests.solvers.brute_force import half_square_distances
from tests.solvers.probe import make_step


def test_true_pairwise_costs() -> None:
    """These are the documented costs. Other tests compare the solver's energies with those of masks."""
    unit = np.eye(4)
    half = 0.5 * (unit[0] + unit[1])
    sharing = 0.5 * (unit[1] + unit[2])
    apart = 0.5 * (unit[2] + unit[3])
    table = half_square_distances(np.stack([unit[0], unit[2], half, sharing, apart]))
    assert table[2].tolist() == [0.25, 0.75, 0.0, 0.25, 0.5]
    assert table[0, 1] == 1


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([0, 0, 0, 0], [0, 0, 0, 0], [0]),
        ([1, 1, 3, 1], [1, 1, 3, 1], [1, 3]),
        ([0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2]),  # equally used inputs are in order of their index
        ([3, 3, 2, 0], [3, 3, 2, 1], [3, 2, 0]),  # 2, 1, ½ and ½ cells
        ([0, 2, 2, 3], [1, 2, 2, 4], [2, 0, 1]),
    ],
)
def test_the_most_used_inputs_are_offered(first: list[int], second: list[int], expected: list[int]) -> None:
    sides = np.array([first, first], np.int32), np.array([second, second], np.int32)
    problem = Problem(np.full((5, 4), -0.25), np.eye(5), np.full(5, 0.2), sides[0][None], Hyperparameters())
    assert make_step(problem, Labeling(*sides, 0.0, 0)).most_used == expected
