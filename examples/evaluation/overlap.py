"""How far two boxes agree."""

from __future__ import annotations

import torch
from torch import Tensor


def intersection_over_union(box: Tensor, others: Tensor, *, clamped: bool = True) -> Tensor:
    """Return the IoU of a box with each of several.

    Args:
        box: (4) float: x0, y0, x1, y1, the ends excluded.
        others: (N, 4) float.
        clamped: False: as in the authors' evaluation, where a negative width or height of the intersection is kept.
            Boxes that are disjoint in one axis then score below 0. Of boxes disjoint in both axes two negative lengths
            make a positive area, so that these can score 1 and more.

    Returns:
        (N) float.
    """
    lengths = torch.minimum(box[2:], others[:, 2:]) - torch.maximum(box[:2], others[:, :2])
    if clamped:
        lengths = lengths.clamp(min=0)
    intersection = lengths.prod(1)
    area = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1)
    return intersection / (area - intersection)
