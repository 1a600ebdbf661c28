"""Random problems for tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.method.compatibility import compute_compatibility
from lightning_comixup.method.energy import compute_unary


def blob_saliency(draws: np.random.Generator, inputs: int, spatial: tuple[int, ...]) -> NDArray[np.float64]:
    """Return saliency maps that each have one bump at a random place, plus noise."""
    axes = np.meshgrid(*(np.linspace(0, 1, size) for size in spatial), indexing="ij")
    centres = draws.random((inputs, len(spatial)))
    bumps = zip(axes, centres.T, strict=True)
    squared = sum((axis - centre.reshape(-1, *(1,) * len(spatial))) ** 2 for axis, centre in bumps)
    return np.exp(-squared / 0.03) + 0.1 * draws.random((inputs, *spatial))


def random_group(
    draws: np.random.Generator, inputs: int, grid: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the unary, compatibility and prior of a group."""
    unary = compute_unary(blob_saliency(draws, inputs, grid))
    peaks = draws.integers(0, 25, size=(inputs, len(grid)))
    return unary, compute_compatibility(peaks, 0.001), draws.dirichlet(np.full(inputs, 2.0))
