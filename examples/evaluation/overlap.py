"""How well two boxes agree."""

from __future__ import annotations

import torch
from torch import Tensor


def intersection_over_union(box: Tensor, others: Tensor, *, clamped: bool = True) -> Tensor:
    """Return the IoU of a box with each of several others.

    Args:
        box: (4) float: x0, y0, x1, y1, without the pixels at x1 and y1.
        others: (N, 4) float.
        clamped: False keeps a negative width or height of the intersection, as in the authors' evaluation. Boxes that
            are disjoint along one axis then score below 0. For boxes that are disjoint along both axes, two negative
            lengths give a positive area, so they can score 1 and more.

    Returns:
        (N) float.
    """
    lengths = torch.minimum(box[2:], others[:, 2:]) - torch.maximum(box[:2], others[:, :2])
    if clamped:
        lengths = lengths.clamp(min=0)
    intersection = lengths.prod(1)
    area = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1)
    return intersection / (area - intersection)
