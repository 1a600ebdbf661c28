"""The study's measures, computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from examples.study_parts.measures import fit_temperature, measure


def test_measures_by_hand() -> None:
    shares = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.55, 0.45]])
    found = measure(shares.log(), torch.tensor([0, 1, 1, 0]))
    assert found.accuracy == 0.75
    # Two predictions have confidence 0.9, and one of them is right. Those with 0.8 and 0.55 are both right.
    assert found.ece == pytest.approx((2 * 0.4 + 0.2 + 0.45) / 4, rel=1e-5)
    assert found.nll == pytest.approx(-sum(map(math.log, (0.9, 0.1, 0.8, 0.55))) / 4, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_the_temperature_is_found(temperature: float) -> None:
    """Labels drawn from the logits' own probabilities give temperature 1, and T if the logits are multiplied by T."""
    draws = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20_000, 3, generator=draws)
    labels = logits.softmax(1).multinomial(1, generator=draws)[:, 0]
    assert fit_temperature(temperature * logits, labels) == pytest.approx(temperature, rel=0.03)


def test_the_temperature_has_bounds() -> None:
    assert fit_temperature(torch.tensor([[1.0, 0.0]]), torch.tensor([0])) == pytest.approx(1 / 20, rel=0.01)
