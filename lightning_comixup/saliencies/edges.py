"""Saliency from the strength of the edges in the inputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_comixup.saliencies.input_saliency import InputSaliency

_LARGEST_EXPONENT = 120  # below float32's 126, so that powers of two and their inverses are normal numbers


@dataclass(frozen=True)
class Edges(InputSaliency):
    """The magnitude of the inputs' own spatial gradient: sqrt(mean over channels of Σ over dimensions of d²).

    Here d is the central difference along a dimension. Beyond a border the inputs are padded with their edge values.
    Scaling an input scales its map, which makes no difference once each map is divided by its sum. A constant input has
    a map of zeros, and hence no preference.

    >>> Edges()(None, torch.tensor([[[0.0, 0.0, 2.0, 2.0]]]), None)
    tensor([[0., 1., 1., 0.]])
    """

    def compute(self, inputs: Tensor) -> Tensor:
        """Return the magnitude of the gradient."""
        scale = _scales(inputs)
        scaled = inputs / scale  # otherwise the squares of tiny or huge values would be 0 or infinite
        total = _squared_differences(scaled, 2)
        for axis in range(3, inputs.ndim):
            total += _squared_differences(scaled, axis)
        # A central difference is half the difference of the two neighbours.
        return total.div_(4 * inputs.shape[1]).sqrt_().mul_(scale[:, 0])


def _scales(inputs: Tensor) -> Tensor:
    """Return a power of two near each input's largest magnitude, (B, 1, ...), so that dividing by it is exact."""
    peaks = inputs.flatten(1).abs().amax(1).view(-1, *(1,) * (inputs.ndim - 1))
    exponents = torch.frexp(peaks).exponent.clamp(-_LARGEST_EXPONENT, _LARGEST_EXPONENT)
    return torch.ldexp(torch.ones_like(peaks), exponents)


def _squared_differences(inputs: Tensor, axis: int) -> Tensor:
    """Return the squared difference of each position's two neighbours along an axis, summed over the channels."""
    size = inputs.shape[axis]
    first, last = inputs.narrow(axis, 0, 1), inputs.narrow(axis, size - 1, 1)
    after = torch.cat([inputs.narrow(axis, 1, size - 1), last], axis)
    before = torch.cat([first, inputs.narrow(axis, 0, size - 1)], axis)
    return after.sub_(before).square_().sum(1)
