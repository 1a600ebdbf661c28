"""The box around the part of an image that a heat map highlights."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

_ALL_NEIGHBOURS = np.ones((3, 3))  # diagonal ones too, as in contours
_BRIGHTEST = 255  # of 8 bits
_NOTHING = (0.0, 0.0, 1.0, 1.0)  # the box if the map highlights nothing (as in the authors' evaluation)


def box_of(heat: Tensor, threshold: float) -> Tensor:
    """Return the box around the largest connected part of a heat map that exceeds a share of its maximum.

    Map and threshold are rounded down to 8 bits, as in the authors' evaluation.

    Args:
        heat: (H, W) float from 0 to 1.
        threshold: The share of the maximum.

    Returns:
        (4) float: x0, y0, x1, y1, without the pixels at x1 and y1.
    """
    levels = (heat * _BRIGHTEST).to(torch.uint8).cpu().numpy()
    return largest_component(levels > int(threshold * levels.max()))


def largest_component(mask: NDArray[np.bool_]) -> Tensor:
    """Return the box around the component that encloses the most pixels, its holes included.

    The authors choose the largest contour by the area of the polygon through its pixels' centres. The result differs
    only if components have nearly the same size.

    Args:
        mask: (H, W) bool.

    Returns:
        (4) float: x0, y0, x1, y1, without the pixels at x1 and y1.
    """
    labels, count = ndimage.label(ndimage.binary_fill_holes(mask), _ALL_NEIGHBOURS)
    if count == 0:
        return torch.tensor(_NOTHING)
    largest = int(np.bincount(labels.ravel())[1:].argmax())
    rows, columns = ndimage.find_objects(labels)[largest]
    return torch.tensor([columns.start, rows.start, columns.stop, rows.stop], dtype=torch.float32)
