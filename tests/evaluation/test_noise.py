from __future__ import annotations

import pytest
import torch

from examples.evaluation.noise import add_noise
from examples.evaluation.normalization import Normalization


def test_noise_is_added_to_pixels() -> None:
    normalization = Normalization([0.4, 0.5, 0.6], [0.2, 0.25, 0.5])
    pixels = torch.full((2, 3, 50, 50), 0.5)
    images = normalization.from_pixels(pixels)
    found = add_noise(images, 0.1, normalization, torch.Generator().manual_seed(3))
    noise = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(normalization.to_pixels(found), (0.5 + 0.1 * noise).clamp(0, 1))
    assert float((normalization.to_pixels(found) - 0.5).std()) == pytest.approx(0.1, rel=0.02)


def test_pixels_stay_valid() -> None:
    normalization = Normalization([0.5], [0.5])
    found = normalization.to_pixels(add_noise(torch.ones(1, 1, 9, 9), 0.5, normalization, torch.Generator()))
    assert found.max() == 1
    assert 0 <= found.min() < 0.7
