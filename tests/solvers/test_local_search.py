"""Moves of single cells that lower the energy itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.energy import labeling_energy
from lightning_comixup.method.problem import Labeling, Problem
from tests.random_problems import random_group
from tests.solvers.probe import SEARCH, make_step
from tests.solvers.test_diversity import random_labeling

_CASES: list[dict[str, Any]] = [
    {},
    {"thresholding": "soft"},
    {"penalty_threshold": 0.3},
    {"smoothness": 0.0},
    {"smoothness": 2.0},
    {"compatibility_weight": 0.3},
]


def _problem(seed: int, grid: tuple[int, ...], changes: dict[str, Any]) -> tuple[Problem, Labeling]:
    draws = np.random.default_rng(seed)
    unary, matrix, prior = random_group(draws, 7, grid)
    if changes.get("compatibility_weight"):
        matrix = 0.7 * matrix + 0.3 * draws.random(matrix.shape) / 7
    start = draws.integers(0, 7, size=(1, 6, *grid))
    return Problem(unary, matrix, prior, start, Hyperparameters(**changes)), random_labeling(draws, 6, 7, grid)


@pytest.mark.parametrize("changes", _CASES)
@pytest.mark.parametrize("grid", [(4, 4), (6,), (2, 3, 2)])
def test_the_energy_falls_and_is_the_one_reported(changes: dict[str, Any], grid: tuple[int, ...]) -> None:
    for seed in range(5):
        problem, labeling = _problem(seed, grid, changes)
        before = labeling_energy(labeling, problem)
        stepped = make_step(problem, labeling, step=SEARCH)
        reached = labeling_energy(stepped.labeling, problem)
        assert stepped.before == pytest.approx(before, rel=1e-12)
        assert stepped.labeling.energy == pytest.approx(reached, rel=1e-12)
        assert reached < before


def test_no_move_is_left_that_lowers_the_energy() -> None:
    """After repeated searches, no move of a single cell to another input lowers the energy."""
    tried = 0
    for seed in range(6):
        problem, labeling = _problem(seed, (3, 3), {})
        problem = Problem(problem.unary, np.eye(7), problem.prior, problem.starts, problem.hyperparameters)
        while True:
            stepped = make_step(problem, labeling, step=SEARCH)
            if (stepped.labeling.first == labeling.first).all() and (stepped.labeling.second == labeling.second).all():
                break
            labeling = stepped.labeling
        reached = labeling_energy(labeling, problem)
        for place in np.ndindex(labeling.first.shape):
            held = {int(labeling.first[place]), int(labeling.second[place])}
            for label in set(range(7)) - held:
                first, second = labeling.first.copy(), labeling.second.copy()
                first[place] = second[place] = label
                moved = Labeling(first, second, 0.0, 0)
                assert labeling_energy(moved, problem) > reached - 1e-8
                tried += 1
    assert tried > 500


def test_cells_move_to_where_there_is_room() -> None:
    """At first, every output uses input 0, which exceeds the capacity. The other inputs are unused."""
    unary = np.full((4, 2, 2), -0.25)
    start = np.zeros((1, 4, 2, 2), int)
    problem = Problem(unary, np.eye(4), np.full(4, 0.25), start, Hyperparameters(smoothness=0.01))
    stepped = make_step(problem, step=SEARCH)
    counts = np.bincount(stepped.labeling.first.ravel(), minlength=4)
    assert stepped.before > 0 > stepped.labeling.energy
    assert counts.max() < 16
