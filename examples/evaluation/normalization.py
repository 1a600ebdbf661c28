"""Conversion between normalised images and pixels from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from examples.command_line import CommandError

# How far pixels may lie outside [0, 1] before the mean and standard deviation count as wrong. This heuristic leaves
# room for resampling that overshoots.
_TOLERANCE = 0.05


class Normalization(NamedTuple):
    """Mean and standard deviation of pixels from 0 to 1, with one value per channel or one for all."""

    mean: Sequence[float]
    std: Sequence[float]

    def to_pixels(self, images: Tensor) -> Tensor:
        """Return the pixels of normalised images (B, C, H, W)."""
        mean, std = self._for(images)
        return images * std + mean

    def from_pixels(self, pixels: Tensor) -> Tensor:
        """Return the normalised images (B, C, H, W) of pixels."""
        mean, std = self._for(pixels)
        return (pixels - mean) / std

    def check(self, images: Tensor) -> None:
        """Raise unless the images' pixels are valid.

        Raises:
            CommandError: If the number of channels does not fit, a standard deviation is not positive, or pixels lie
                outside [0, 1].
        """
        for name, values in self._asdict().items():
            if len(values) not in (1, images.shape[1]):
                raise CommandError(
                    f"{name} must have 1 or {images.shape[1]} values, one per channel, found {len(values)}."
                )
        if min(self.std) <= 0:
            raise CommandError(f"std must be positive, found {min(self.std)}.")
        low, high = (float(value) for value in torch.aminmax(self.to_pixels(images)))
        if low < -_TOLERANCE or high > 1 + _TOLERANCE:
            raise CommandError(
                f"Pixels must lie in [0, 1] once the normalisation is undone, found [{low:.3g}, {high:.3g}]. Give the "
                "mean and std that the data were normalised with, for pixels from 0 to 1."
            )

    def _for(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return images.new_tensor(self.mean).view(-1, 1, 1), images.new_tensor(self.std).view(-1, 1, 1)
