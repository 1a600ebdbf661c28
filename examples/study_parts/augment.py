"""Flips and shifts of whole batches."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def flip_and_crop(images: Tensor, padding: int, draws: torch.Generator) -> Tensor:
    """Flip every other image left to right by chance, pad all with zeros and crop each anywhere to its old size.

    Args:
        images: (B, C, H, W).
        padding: Zeros on each side, so the largest shift.
        draws: Draws the flips and the shifts of each image.
    """
    size, _, height, width = images.shape
    is_flipped = torch.rand(size, generator=draws) < 0.5
    padded = F.pad(torch.where(is_flipped[:, None, None, None], images.flip(3), images), (padding,) * 4)
    top, left = torch.randint(2 * padding + 1, (2, size, 1), generator=draws)
    rows = (top + torch.arange(height))[:, :, None]
    columns = (left + torch.arange(width))[:, None, :]
    # The indices around the slice put the channels last; back they go.
    return padded[torch.arange(size)[:, None, None], :, rows, columns].movedim(3, 1).contiguous()
