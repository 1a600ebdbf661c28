"""Small items at random places on a larger canvas, among scraps of other items.

This follows "cluttered, translated MNIST" (Mnih, Heess, Graves, Kavukcuoglu, "Recurrent Models of Visual Attention",
NeurIPS 2014), in which the item is small and can be anywhere in the image.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Clutter(NamedTuple):
    """The surroundings of an item. Sizes are in pixels."""

    side: int  # of the canvas
    scraps: int  # per canvas
    scrap_side: int


def scatter(items: Tensor, clutter: Clutter, draws: torch.Generator) -> Tensor:
    """Place each item and scraps of others at random on a black canvas. Where they overlap, the brighter one shows.

    Args:
        items: At least two images (N, C, H, W), no larger than the canvas, with values of at least 0.
        clutter: The surroundings of the items.
        draws: Draws the places of the items before the scraps, so that the items have the same places without scraps.

    Returns:
        (N, C, side, side), with the dtype of the items.
    """
    count, _, height, width = items.shape
    side = clutter.scrap_side
    canvas = _place(items, _draw_corners(count, clutter.side, (height, width), draws), clutter.side)
    for _ in range(clutter.scraps):
        others = (torch.arange(count) + torch.randint(1, count, (count,), generator=draws)) % count
        cut_at = torch.stack([torch.randint(span - side + 1, (count,), generator=draws) for span in (height, width)])
        scraps = _cut(items[others], cut_at, side)
        corners = _draw_corners(count, clutter.side, (side, side), draws)
        canvas = torch.maximum(canvas, _place(scraps, corners, clutter.side))
    return canvas


def _draw_corners(count: int, side: int, size: tuple[int, int], draws: torch.Generator) -> Tensor:
    """Draw the upper left corners of images to place, (2, N)."""
    return torch.stack([torch.randint(side - span + 1, (count,), generator=draws) for span in size])


def _cut(items: Tensor, corners: Tensor, side: int) -> Tensor:
    """Cut a square out of each item: (N, C, side, side)."""
    rows, columns = corners[:, :, None] + torch.arange(side)
    index = torch.arange(len(items))[:, None, None]
    return items[index, :, rows[:, :, None], columns[:, None, :]].movedim(3, 1)


def _place(items: Tensor, corners: Tensor, side: int) -> Tensor:
    """Place each item on a black canvas: (N, C, side, side)."""
    count, channels, height, width = items.shape
    canvas = items.new_zeros(count, side, side, channels)
    rows = corners[0][:, None] + torch.arange(height)
    columns = corners[1][:, None] + torch.arange(width)
    canvas[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]] = items.movedim(1, 3)
    return canvas.movedim(3, 1).contiguous()
