"""The control without saliency."""

from __future__ import annotations

import pytest
import torch

from lightning_comixup import Uniform
from tests.saliencies.choices import SHAPES, make_inputs


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_ones(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    maps = Uniform()(None, make_inputs(shape, dtype=dtype), None)
    assert torch.equal(maps, torch.ones(4, *shape[1:], dtype=maps.dtype))


def test_the_largest_possible_values() -> None:
    limits = torch.finfo(torch.float32)
    inputs = torch.tensor([[[limits.max, limits.max]], [[limits.min, limits.min]]])
    assert torch.equal(Uniform()(None, inputs, None), torch.ones(2, 2))
