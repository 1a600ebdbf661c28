from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lightning_comixup import energy
from lightning_comixup.method.energy import add_prior, compute_unary
from tests.random_problems import random_group

_THRESHOLD = 2.0  # some inputs of the groups drawn here exceed it, others do not


def energy_by_loops(
    masks: NDArray[Any], unary: NDArray[Any], matrix: NDArray[Any], prior: NDArray[Any], soft: bool
) -> float:
    """Return the energy by the formula in the module's docstring, computed with plain loops."""
    outputs, inputs, *grid = masks.shape
    cells = list(itertools.product(*map(range, grid)))
    count, eta, threshold = len(cells), 0.05, _THRESHOLD * len(cells)
    total = 0.0
    for j, i in itertools.product(range(outputs), range(inputs)):
        for s in cells:
            total += masks[(j, i, *s)] * (unary[(i, *s)] - eta / count * np.log(prior[i] + 1e-8))
            for axis in range(len(grid)):
                t = tuple(c + (a == axis) for a, c in enumerate(s))
                if t in cells:
                    total += 0.32 / count / 2 * (masks[(j, i, *s)] - masks[(j, i, *t)]) ** 2
    c = [[sum(masks[(j, i, *s)] for s in cells) for i in range(inputs)] for j in range(outputs)]
    for j in range(outputs):
        p = np.array([sum(c[k][i] for k in range(outputs) if k != j) for i in range(inputs)])
        load = np.array([sum(matrix[i, k] * p[k] for k in range(inputs)) for i in range(inputs)])
        for i in range(inputs):
            if soft:
                phi = max(load[i] - threshold, 0.0)
            else:
                phi = sum(matrix[i, k] * p[k] for k in range(inputs) if load[k] > threshold)
            total += 1.0 / count * phi * c[j][i]
    return total


@pytest.mark.parametrize("grid", [(3,), (2, 3), (2, 2, 2)])
@pytest.mark.parametrize("soft", [False, True])
def test_energy_is_the_formula(grid: tuple[int, ...], soft: bool) -> None:
    draws = np.random.default_rng(0)
    unary, matrix, prior = random_group(draws, 4, grid)
    matrix = matrix + 0.5 * draws.random(matrix.shape)  # not symmetric, so that A and its transpose differ
    masks = np.zeros((5, 4, *grid))
    for j in range(5):
        for s in np.ndindex(grid):
            masks[(j, draws.integers(4), *s)] += 0.5
            masks[(j, draws.integers(4), *s)] += 0.5
    found = energy(
        masks, unary, matrix, prior=prior, penalty_threshold=_THRESHOLD, thresholding="soft" if soft else "hard"
    )
    assert found == pytest.approx(energy_by_loops(masks, unary, matrix, prior, soft), rel=1e-12)


def test_energy_does_not_depend_on_the_inputs_order() -> None:
    draws = np.random.default_rng(1)
    unary, matrix, prior = random_group(draws, 5, (4, 4))
    masks = np.eye(5)[draws.integers(0, 5, size=(5, 4, 4))].transpose(0, 3, 1, 2)
    order = draws.permutation(5)
    permuted = energy(masks[:, order], unary[order], matrix[np.ix_(order, order)], prior=prior[order])
    assert permuted == pytest.approx(energy(masks, unary, matrix, prior=prior), rel=1e-12)


def test_energy_without_prior_leaves_its_term_out() -> None:
    unary, matrix, prior = random_group(np.random.default_rng(2), 3, (2, 2))
    masks = np.zeros((1, 3, 2, 2))
    masks[0, 1] = 1
    difference = energy(masks, unary, matrix, prior=prior) - energy(masks, unary, matrix)
    assert difference == pytest.approx(-0.05 * np.log(prior[1] + 1e-8))


def test_maps_are_normalised_and_negated() -> None:
    pooled = np.array([[[1.0, 3.0], [0.0, 4.0]], [[5.0, 5.0], [5.0, 5.0]]])
    assert compute_unary(pooled).tolist() == [[[-0.125, -0.375], [0.0, -0.5]], [[-0.25, -0.25], [-0.25, -0.25]]]


def test_a_map_of_zeros_becomes_uniform() -> None:
    assert compute_unary(np.zeros((2, 2, 2))).tolist() == [[[-0.25] * 2] * 2] * 2


def test_prior_lowers_the_cost_of_inputs_drawn_large() -> None:
    unary = np.zeros((2, 4))
    found = add_prior(unary, np.array([0.9, 0.1]), 0.05)
    np.testing.assert_allclose(found[0], -0.05 / 4 * np.log(0.9 + 1e-8))
    np.testing.assert_allclose(found[1], -0.05 / 4 * np.log(0.1 + 1e-8))
    assert (unary == 0).all()


def test_prior_of_an_underflowed_draw_is_finite() -> None:
    assert np.isfinite(add_prior(np.zeros((2, 4)), np.array([1.0, 0.0]), 0.05)).all()
