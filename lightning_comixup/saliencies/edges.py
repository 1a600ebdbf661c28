"""The strength of the edges in the inputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_comixup.saliencies.input_saliency import InputSaliency


@dataclass(frozen=True)
class Edges(InputSaliency):
    """The magnitude of the inputs' own spatial gradient: sqrt(mean over channels of Σ over dimensions of d²).

    d is the central difference along a dimension; beyond a border the inputs go on as they are at it. Inputs twice as
    large have maps twice as large, which are the same once each is divided by its sum. A constant input has a map of
    zeros, and no preference.

    >>> Edges()(None, torch.tensor([[[0.0, 0.0, 2.0, 2.0]]]), None)
    tensor([[0., 1., 1., 0.]])
    """

    def compute(self, inputs: Tensor) -> Tensor:
        """Return the magnitude of the gradient."""
        total = _squared_differences(inputs, 2)
        for axis in range(3, inputs.ndim):
            total += _squared_differences(inputs, axis)
        # Central differences are half of those of the two neighbours.
        return total.div_(4 * inputs.shape[1]).sqrt_()


def _squared_differences(inputs: Tensor, axis: int) -> Tensor:
    """Return the squared difference of each position's two neighbours along an axis, summed over the channels."""
    size = inputs.shape[axis]
    first, last = inputs.narrow(axis, 0, 1), inputs.narrow(axis, size - 1, 1)
    after = torch.cat([inputs.narrow(axis, 1, size - 1), last], axis)
    before = torch.cat([first, inputs.narrow(axis, 0, size - 1)], axis)
    return after.sub_(before).square_().sum(1)
