"""The compatibility matrix: inputs whose salient regions lie apart may share an output."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def locate_peaks(saliency: Tensor, window: int, stride: int) -> tuple[Tensor, tuple[int, ...]]:
    """Locate the peak of each saliency map after averaging over a sliding window.

    Args:
        saliency: (N, *spatial), floating-point.
        window: Side of the window, capped at the side of the maps.
        stride: Step of the window.

    Returns:
        The flat positions (N,) int64 in the averaged maps, and the shape of those maps.
    """
    smooth = saliency
    for axis in range(1, saliency.ndim):
        side = saliency.shape[axis]  # a longer stride would also give just one window
        smooth = _sum_windows(smooth, axis, min(window, side), min(stride, side))
    # `argmax` would take twice as long on the CPU.
    return smooth.flatten(1).max(1).indices, tuple(smooth.shape[1:])


def _sum_windows(maps: Tensor, axis: int, window: int, stride: int) -> Tensor:
    """Sum the values in each window along an axis."""
    if window == stride == 1:
        return maps
    if stride > 1 or not maps.is_cpu:
        return maps.unfold(axis, window, stride).sum(-1)
    # Each window is the sum of two half windows. On the CPU this takes half as long as summing every window separately.
    half, count = window // 2, maps.shape[axis] - window + 1
    halves = _sum_windows(maps, axis, half, stride)
    sums = halves.narrow(axis, 0, count) + halves.narrow(axis, half, count)
    return sums + maps.narrow(axis, window - 1, count) if window % 2 else sums


def compute_compatibility(peaks: NDArray[np.integer[Any]], compatibility_weight: float) -> NDArray[np.float64]:
    """Return A = (1 - ω) I + ω · N · D / ΣD (appendix of the paper) for one group or for each of several.

    Args:
        peaks: (..., N, d) positions of the peaks; D is the L1 distance between them.
        compatibility_weight: ω.

    Returns:
        (..., N, N). Where all peaks of a group coincide, A = I. The authors' code divides zero by zero there.
    """
    inputs = peaks.shape[-2]
    distance = np.abs(peaks[..., :, None, :] - peaks[..., None, :, :]).sum(-1)
    total = distance.sum((-2, -1), keepdims=True)
    own = 1 - compatibility_weight * (total > 0)
    return own * np.eye(inputs) + compatibility_weight * inputs * distance / np.maximum(total, 1)
