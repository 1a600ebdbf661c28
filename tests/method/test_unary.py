from __future__ import annotations

import numpy as np

from lightning_comixup.method.energy import add_prior, compute_unary


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
