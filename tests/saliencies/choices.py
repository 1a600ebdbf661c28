"""All saliencies, and inputs for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_comixup import Edges, LowResolution, Random, SpectralResidual, Uniform

# Channels and spatial sizes, in one to four dimensions: odd, even, as small as possible, and above 64 positions.
SHAPES = [(2, 12), (1, 1), (3, 8, 8), (3, 7, 10), (1, 1, 5), (2, 70, 66), (2, 4, 5, 6), (1, 3, 2, 5, 4)]
WITHOUT_NETWORK = [Edges(), SpectralResidual(), SpectralResidual(largest_side=4), Uniform(), Random(), Random(3, 2)]
LOW_RESOLUTION = [LowResolution(), LowResolution(3), LowResolution(1)]
ALL = [*WITHOUT_NETWORK, *LOW_RESOLUTION]
CLASSES = 3


class AnySize(nn.Module):
    """A network for inputs (B, C, *spatial) of any size that is nonlinear at each position."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.linear = nn.Linear(channels, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.linear(inputs.tanh().flatten(2).mean(2))
        return logits


def make_inputs(shape: tuple[int, ...], size: int = 4, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return inputs (size, *shape)."""
    return torch.randn(size, *shape, generator=torch.Generator().manual_seed(0)).to(dtype)


def saliency_of(saliency: Any, inputs: Tensor) -> Tensor:
    """Return the saliency maps of inputs, with a network and targets that fit them."""
    targets = torch.arange(len(inputs), device=inputs.device) % CLASSES
    maps: Tensor = saliency(AnySize(inputs.shape[1]).to(inputs.device, inputs.dtype), inputs, targets)
    return maps
