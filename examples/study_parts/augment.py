"""Flips and shifts of whole batches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def augment(images: Tensor, flips: Sequence[int], padding: int, draws: torch.Generator) -> Tensor:
    """Flip each image with a chance of one half, pad it with zeros, and crop it at random to its old size.

    Args:
        images: (B, C, H, W).
        flips: Dimensions to flip, each with its own draw: 2 means top to bottom, 3 means left to right.
        padding: Zeros on each side, and so the largest shift. 0 means no shifts.
        draws: Draws the flips and the shifts of each image, on the CPU.
    """
    for dimension in flips:
        is_flipped = (torch.rand(len(images), 1, 1, 1, generator=draws) < 0.5).to(images.device)
        images = torch.where(is_flipped, images.flip(dimension), images)
    return _shift(images, padding, draws) if padding else images


def _shift(images: Tensor, padding: int, draws: torch.Generator) -> Tensor:
    size, _, height, width = images.shape
    padded = F.pad(images, (padding,) * 4)
    top, left = torch.randint(2 * padding + 1, (2, size, 1), generator=draws)
    rows = (top + torch.arange(height))[:, :, None].to(images.device)
    columns = (left + torch.arange(width))[:, None, :].to(images.device)
    # Indices on both sides of the slice put the channels last, so move them back.
    return padded[torch.arange(size)[:, None, None], :, rows, columns].movedim(3, 1).contiguous()
