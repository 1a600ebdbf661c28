"""The spectral residual, compared with NumPy and a loop for each mean."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lightning_comixup import SpectralResidual
from tests.saliencies.choices import SHAPES, make_inputs

Maps = NDArray[np.float64]


def _local_mean(values: Maps) -> Maps:
    """Return the mean over each position and its neighbours, on a torus."""
    shifts = list(itertools.product((-1, 0, 1), repeat=values.ndim))
    axes = tuple(range(values.ndim))
    return np.mean([np.roll(values, shift, axes) for shift in shifts], axis=0)


def _gaussian(values: Maps) -> Maps:
    """Smooth with σ = 2.5 for a side of 64, up to two standard deviations, with repeated borders."""
    for axis, size in enumerate(values.shape):
        sigma = 2.5 * size / 64
        reach = math.ceil(2 * sigma)
        kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
        padded = np.pad(values, [(reach, reach) if k == axis else (0, 0) for k in range(values.ndim)], mode="edge")
        values = np.apply_along_axis(np.convolve, axis, padded, kernel / kernel.sum(), mode="valid")
    return values


def _reference(inputs: Maps) -> Maps:
    """Return the map of one input (C, *spatial) whose sides are at most 64, from separate amplitude and phase."""
    spectrum = np.fft.fftn(inputs.mean(0))
    log_amplitude, phase = np.log(np.abs(spectrum)), np.angle(spectrum)
    residual = log_amplitude - _local_mean(log_amplitude)
    return _gaussian(np.abs(np.fft.ifftn(np.exp(residual + 1j * phase))) ** 2)


@pytest.mark.parametrize("shape", [(3, 64, 64), *(shape for shape in SHAPES if max(shape) <= 64)])
def test_the_residual_is_the_papers(shape: tuple[int, ...]) -> None:
    inputs = make_inputs(shape, dtype=torch.float64)
    expected = np.stack([_reference(sample) for sample in inputs.numpy()])
    np.testing.assert_allclose(SpectralResidual()(None, inputs, None).numpy(), expected, rtol=1e-9)
    found = SpectralResidual()(None, inputs.float(), None).double().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.max())


@pytest.mark.parametrize(("side", "largest"), [(128, 64), (12, 4), (14, 7)])
def test_longer_sides_are_averaged_first_and_the_map_repeated(side: int, largest: int) -> None:
    inputs = make_inputs((2, side, largest), size=2, dtype=torch.float64)
    factor = side // largest
    small = inputs.unflatten(2, (largest, factor)).mean(3)
    expected = np.stack([_reference(sample) for sample in small.numpy()]).repeat(factor, axis=1)
    found = SpectralResidual(largest)(None, inputs, None).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_deviations_from_the_usual_spectrum_stand_out() -> None:
    """The inputs are stripes on noise whose amplitudes fall with the frequency, as in photographs."""
    frequencies = torch.fft.fftfreq(64)
    radius = torch.hypot(frequencies[:, None], frequencies).clamp(min=1 / 64)
    white = torch.randn(20, 64, 64, generator=torch.Generator().manual_seed(0))
    inputs = torch.fft.ifft2(torch.fft.fft2(white) / radius).real
    inputs /= inputs.std((1, 2), keepdim=True)
    inputs[:, 30:35, 40:45] += 3 * torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0])
    peaks = SpectralResidual()(None, inputs[:, None], None).flatten(1).argmax(1)
    assert all(abs(int(peak) // 64 - 32) <= 2 and abs(int(peak) % 64 - 42) <= 2 for peak in peaks)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("shape", SHAPES)
def test_zeros_have_maps_of_zeros(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    maps = SpectralResidual()(None, torch.zeros(2, *shape, dtype=dtype), None)
    assert not maps.any()


@pytest.mark.parametrize("value", [1e-30, 0.1, 3.0, 1e30])
def test_constant_inputs_have_even_maps(value: float) -> None:
    maps = SpectralResidual()(None, torch.full((2, 3, 33, 20), value), None)
    assert bool((maps > 0).all())
    assert float(maps.max() / maps.min()) < 1.001


def test_maps_are_finite_if_frequencies_are_missing() -> None:
    """The input has a single frequency, so all other amplitudes are zero except for rounding."""
    wave = torch.sin(torch.arange(64.0) * 2 * math.pi / 8).expand(1, 1, 64, 64)
    assert bool(SpectralResidual()(None, wave, None).isfinite().all())


@pytest.mark.parametrize("scale", [2.0**-30, 2.0**30])
def test_the_scale_does_not_count(scale: float) -> None:
    inputs = make_inputs((3, 9, 8))
    found, expected = (SpectralResidual()(None, values, None) for values in (inputs * scale, inputs))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=0.0)
