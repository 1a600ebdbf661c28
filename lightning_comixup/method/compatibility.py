"""The compatibility matrix: inputs whose salient regions lie apart may share an output."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def locate_peaks(saliency: Tensor, window: int, stride: int) -> Tensor:
    """Return where each saliency map, averaged over a sliding window, is highest.

    Args:
        saliency: (N, *spatial), floating.
        window: Side of the window, at most that of the maps.
        stride: Step of the window.

    Returns:
        (N, d) int64, in coordinates of the averaged maps (as the authors have it): one step is one stride.
    """
    smooth = saliency
    for axis in range(1, saliency.ndim):
        side = saliency.shape[axis]  # a stride beyond it gives one window, as this side does
        smooth = smooth.unfold(axis, min(window, side), min(stride, side)).mean(-1)
    flat = smooth.flatten(1).argmax(1)
    # Not `torch.unravel_index`, which copies the sizes to the device.
    coordinates = []
    for size in reversed(smooth.shape[1:]):
        coordinates.append(flat % size)
        flat = flat // size
    return torch.stack(coordinates[::-1], dim=1)


def compute_compatibility(peaks: NDArray[np.float64], compatibility_weight: float) -> NDArray[np.float64]:
    """Return A = (1 - ω) I + ω · N · D / ΣD for one group (appendix of the paper).

    Args:
        peaks: (N, d) positions of the peaks; D is the L1 distance between them.
        compatibility_weight: ω.

    Returns:
        (N, N). Where all peaks coincide A = I: the authors' code divides zero by zero.
    """
    inputs = peaks.shape[0]
    identity = np.eye(inputs)
    distance = np.abs(peaks[:, None] - peaks[None]).sum(-1)
    total = distance.sum()
    if total == 0:
        return identity
    return (1 - compatibility_weight) * identity + compatibility_weight * inputs * distance / total
