"""Boxes in image files, converted to the images that the network sees."""

from __future__ import annotations

import torch
from torch import Tensor


def crop_boxes(boxes: Tensor, width: int, height: int, resize: int, crop: int) -> Tensor:
    """Convert boxes for a resize of the shorter side and a crop of the centre (torchvision's Resize, CenterCrop).

    Args:
        boxes: (N, 4) float, in pixels of the file.
        width: Width of the file, in pixels.
        height: Height of the file, in pixels.
        resize: The shorter side after the resize, in pixels.
        crop: The side of the square crop.

    Returns:
        (N, 4) float, clipped to the crop. A box outside of it has no area left and matches nothing.
    """
    shorter = min(width, height)
    sides = [resize * side // shorter for side in (width, height)]
    scale = torch.tensor([sides[0] / width, sides[1] / height]).repeat(2)
    offset = torch.tensor([round((side - crop) / 2) for side in sides]).repeat(2)
    return (boxes * scale - offset).clamp(0, crop)
