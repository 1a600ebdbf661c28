"""Images with additive Gaussian noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from examples.evaluation.normalization import Normalization
from examples.evaluation.source import Batch


def add_noise(images: Tensor, deviation: float, normalization: Normalization, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise to pixels from 0 to 1 and clip them to that range.

    Args:
        images: (B, C, H, W), normalised.
        deviation: Standard deviation of the noise, for pixels from 0 to 1.
        normalization: The normalisation of the images.
        generator: Draws the noise, on the CPU, so that it is the same on every device.

    Returns:
        Normalised images.
    """
    noise = torch.randn(images.shape, generator=generator).to(images) * deviation
    return normalization.from_pixels((normalization.to_pixels(images) + noise).clamp(0, 1))


def noisy(
    batches: Iterable[Batch], deviation: float, normalization: Normalization, generator: torch.Generator
) -> Iterator[Batch]:
    """Yield batches with noise."""
    for batch in batches:
        yield batch._replace(images=add_noise(batch.images, deviation, normalization, generator))
