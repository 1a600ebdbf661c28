"""The spatial gradient of the inputs, compared with a loop over all positions."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from lightning_comixup import Edges
from tests.saliencies.choices import SHAPES, make_inputs


def _edges(inputs: Tensor) -> Tensor:
    samples, channels, *spatial = inputs.shape
    maps = torch.zeros(samples, *spatial, dtype=torch.float64)
    for sample, channel in itertools.product(range(samples), range(channels)):
        values = inputs[sample, channel].double()
        for place in itertools.product(*(range(size) for size in spatial)):
            for axis, size in enumerate(spatial):
                after, before = list(place), list(place)
                after[axis], before[axis] = min(place[axis] + 1, size - 1), max(place[axis] - 1, 0)
                slope = float(values[tuple(after)] - values[tuple(before)]) / 2
                maps[(sample, *place)] += slope**2 / channels
    return maps.sqrt()


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if math.prod(shape) < 1000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_magnitude_of_central_differences(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    inputs = make_inputs(shape, size=2, dtype=dtype)
    torch.testing.assert_close(Edges()(None, inputs, None), _edges(inputs).to(dtype))


def test_constant_inputs_have_maps_of_zeros() -> None:
    for value in (0.0, 0.1, 3e5):
        assert torch.equal(Edges()(None, torch.full((2, 3, 5, 6), value), None), torch.zeros(2, 5, 6))


def test_an_edge_is_where_the_values_change() -> None:
    inputs = torch.zeros(1, 1, 6, 8)
    inputs[..., 4:] = 1
    expected = torch.tensor([0, 0, 0, 0.5, 0.5, 0, 0, 0]).expand(1, 6, 8)
    assert torch.equal(Edges()(None, inputs, None), expected)


@pytest.mark.parametrize("scale", [2.0**-100, 2.0**-40, 2.0**40, 2.0**100])
@pytest.mark.parametrize("offset", [0.0, 8.0])
def test_neither_scale_nor_brightness_count(scale: float, offset: float) -> None:
    inputs = (make_inputs((3, 9, 8)) * 64).round() / 64  # makes the sum with the offset exact
    found = Edges()(None, (inputs + offset) * scale, None)
    assert torch.equal(found / scale, Edges()(None, inputs, None))
