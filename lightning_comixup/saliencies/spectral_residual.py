"""Saliency from the unexpected part of the inputs' spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_comixup.method.grid import pool_to_grid, upsample_nearest
from lightning_comixup.saliencies.input_saliency import InputSaliency
from lightning_comixup.validation import check_count

# Standard deviation of the Gaussian, as a share of the side: 2.5 for a side of 64 in the authors' code.
_BLUR = 2.5 / 64
# Radius of the window in standard deviations: the authors use a window of 10 with a deviation of 2.5.
_REACH = 2


@dataclass(frozen=True)
class SpectralResidual(InputSaliency):
    """The spectral residual: log amplitude minus its mean over 3 frequencies along each dimension, transformed back.

    The channels are averaged, and the result is squared and smoothed by a Gaussian. An input of zeros has a map of
    zeros, and hence no preference.

    The paper works on images that are 64 wide. Here longer sides are averaged down to 64. Shorter ones are left
    unchanged, and the Gaussian shrinks with them. Inputs may have any number of dimensions. The mean treats the
    spectrum as periodic. Amplitudes below the rounding error of the largest are raised to that error.

    >>> SpectralResidual()(None, torch.rand(20, 3, 32, 32), None).shape
    torch.Size([20, 32, 32])

    Source: Hou, Zhang, "Saliency Detection: A Spectral Residual Approach", CVPR 2007.

    Attributes:
        largest_side: Maximum number of positions along each side at which the spectrum is computed.
    """

    largest_side: int = 64

    def __post_init__(self) -> None:
        """Check the side.

        Raises:
            TypeError: If it is not an integer.
            ValueError: If it is below 1.
        """
        check_count("largest_side", self.largest_side, advice="Leave it out for the paper's 64.")
        object.__setattr__(self, "largest_side", int(self.largest_side))

    def compute(self, inputs: Tensor) -> Tensor:
        """Return the smoothed residual."""
        spatial = tuple(inputs.shape[2:])
        grey = pool_to_grid(inputs.mean(1), tuple(min(size, self.largest_side) for size in spatial))
        residual = _transform_residual(grey).square_()
        for axis in range(1, residual.ndim):
            residual = _smooth(residual, axis)
        return upsample_nearest(residual, spatial)


def _transform_residual(grey: Tensor) -> Tensor:
    """Return exp(log amplitude - its local mean) with the phase, transformed back: (B, *spatial)."""
    axes = tuple(range(1, grey.ndim))
    spectrum = torch.fft.fftn(grey, dim=axes)
    amplitude, limits = spectrum.abs(), torch.finfo(grey.dtype)
    floor = (limits.eps * amplitude.amax(axes, keepdim=True)).clamp(min=limits.tiny)
    expected = amplitude.maximum(floor).log()
    for axis in axes:
        expected = (expected + expected.roll(1, axis) + expected.roll(-1, axis)) / 3
    # The spectrum is exp(log amplitude) with the phase, so there is no need to divide by an amplitude, which may be 0.
    return torch.fft.ifftn(spectrum * torch.exp(-expected), dim=axes).real


def _smooth(maps: Tensor, axis: int) -> Tensor:
    """Smooth along an axis with a Gaussian; beyond a border the maps are padded with their edge values.

    A convolution would round to half precision under autocast, or by `torch.set_float32_matmul_precision`.
    """
    size = maps.shape[axis]
    sigma = _BLUR * size
    reach = math.ceil(_REACH * sigma)
    weights = [math.exp(-((k / sigma) ** 2) / 2) for k in range(-reach, reach + 1)]
    places = torch.arange(-reach, size + reach, device=maps.device).clamp_(0, size - 1)
    padded = maps.index_select(axis, places)
    total = torch.zeros_like(maps)
    for start, weight in enumerate(weights):
        total.add_(padded.narrow(axis, start, size), alpha=weight / sum(weights))
    return total
