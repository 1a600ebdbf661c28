"""Counts, energies and prices, compared with the formulas in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.energy import capacity, count_over_capacity, energy
from lightning_comixup.method.problem import Labeling, Problem, labeling_to_masks
from lightning_comixup.solvers import arrays as at
from tests.random_problems import random_group
from tests.solvers.probe import make_step

_GRIDS = [(4, 4), (7,), (2, 3, 2)]


def random_labeling(draws: np.random.Generator, outputs: int, inputs: int, grid: tuple[int, ...]) -> Labeling:
    """Return a labeling in which some cells have half labels."""
    one = draws.integers(0, inputs, size=(outputs, *grid))
    other = np.where(draws.random(one.shape) < 0.4, draws.integers(0, inputs, size=one.shape), one)
    return Labeling(np.minimum(one, other).astype(np.int32), np.maximum(one, other).astype(np.int32), 0.0, 0)


def _problem(draws: np.random.Generator, outputs: int, inputs: int, grid: tuple[int, ...], **changes: Any) -> Problem:
    unary, matrix, prior = random_group(draws, inputs, grid)
    matrix = matrix + 0.01 * draws.random(matrix.shape)  # not symmetric
    start = draws.integers(0, inputs, size=(1, outputs, *grid))
    return Problem(unary, matrix, prior, start, Hyperparameters(**changes))


def _counts(labeling: Labeling, inputs: int) -> NDArray[np.float64]:
    masks = labeling_to_masks(labeling, inputs)
    return masks.reshape(*masks.shape[:2], -1).sum(2, dtype=np.float64)


@pytest.mark.parametrize("grid", _GRIDS)
@pytest.mark.parametrize("thresholding", ["hard", "soft"])
@pytest.mark.parametrize("outputs", [3, 9])
def test_energy_and_counts_are_those_of_the_masks(grid: tuple[int, ...], thresholding: Any, outputs: int) -> None:
    draws = np.random.default_rng(0)
    problem = _problem(draws, outputs, 6, grid, thresholding=thresholding, penalty_threshold=0.4)
    labeling = random_labeling(draws, outputs, 6, grid)
    stepped = make_step(problem, labeling)
    settings = vars(problem.hyperparameters)
    masks = labeling_to_masks(labeling, 6)
    expected = energy(masks, problem.unary, problem.compatibility, prior=problem.prior, **settings)
    assert stepped.before == pytest.approx(expected, rel=1e-12)
    counts = _counts(labeling, 6)
    assert (stepped.uses[at.COUNT] == counts).all()
    np.testing.assert_allclose(stepped.uses[at.LOAD], counts @ problem.compatibility.T, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(stepped.uses[at.PENALTY], counts @ problem.compatibility, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("thresholding", ["hard", "soft"])
def test_price_is_the_modular_penalty(thresholding: Any) -> None:
    draws = np.random.default_rng(1)
    problem = _problem(draws, 8, 5, (3, 3), thresholding=thresholding, penalty_threshold=1.4)
    labeling = random_labeling(draws, 8, 5, (3, 3))
    beyond = 0
    counts, parameters = _counts(labeling, 5), problem.hyperparameters
    for output in range(8):
        others = counts.sum(0) - counts[output]
        load = problem.compatibility @ others
        threshold = capacity(parameters, 9)
        over = load > threshold
        phi = np.maximum(load - threshold, 0) if thresholding == "soft" else problem.compatibility @ (over * others)
        beyond += over.sum()
        stepped = make_step(problem, labeling, output=output)
        np.testing.assert_allclose(stepped.price, 2 * parameters.diversity / 9 * phi, rtol=1e-12, atol=1e-12)
    assert 8 < beyond < 32


def test_outputs_above_capacity() -> None:
    """Three outputs use input 0 in 2, 2 and 1 of four cells. The capacity of 3.2 is exceeded only for the last."""
    first = np.array([[0, 0, 1, 1], [0, 0, 2, 2], [0, 3, 3, 3]], np.int32)
    parameters = Hyperparameters(penalty_threshold=0.8)
    problem = Problem(np.full((4, 4), -0.25), np.eye(4), np.full(4, 0.25), first[None], parameters)
    assert count_over_capacity(Labeling(first, first, 0.0, 0), problem) == 1
