from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_comixup.method.random import as_generator, draw_prior, draw_starts


def test_an_int_is_a_seed() -> None:
    assert as_generator(3).random() == as_generator(3).random() != as_generator(4).random()


def test_generators_move_on() -> None:
    numpy_generator = np.random.default_rng(0)
    assert as_generator(numpy_generator) is numpy_generator
    torch_generator = torch.Generator().manual_seed(0)
    first, second = as_generator(torch_generator).random(), as_generator(torch_generator).random()
    assert first != second
    assert as_generator(torch.Generator().manual_seed(0)).random() == first


def test_none_is_fresh_entropy_and_global_generators_stay() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    assert as_generator(None).random() != as_generator(None).random()
    assert torch.equal(torch.get_rng_state(), state)


def test_draws_have_their_shapes() -> None:
    draws = np.random.default_rng(0)
    prior = draw_prior(draws, 7, 2.0)
    assert prior.shape == (7,)
    assert prior.sum() == pytest.approx(1)
    starts = draw_starts(draws, 3, 7, (4, 5))
    assert starts.shape == (3, 7, 4, 5)
    assert set(np.unique(starts)) == set(range(7))


@pytest.mark.parametrize("alpha", [1e-6, 1e-30, 5e-324])
def test_tiny_concentrations_give_everything_to_one_input(alpha: float) -> None:
    """The draw is immediate. With NumPy 1.24 alone, it would never end."""
    draws = np.random.default_rng(0)
    for _ in range(20):
        prior = draw_prior(draws, 20, alpha)
        assert np.sort(prior)[-2:].tolist() == [0.0, 1.0]
