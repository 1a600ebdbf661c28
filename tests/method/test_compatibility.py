from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_comixup.method.compatibility import compute_compatibility, locate_peaks


def _peaks(saliency: Tensor, window: int, stride: int) -> list[list[int]]:
    places, shape = locate_peaks(saliency, window, stride)
    return np.stack(np.unravel_index(places.numpy(), shape), axis=-1).tolist()


def test_matrix_is_identity_plus_normalised_distances() -> None:
    peaks = np.array([[0, 0], [3, 1], [0, 2]])
    distance = np.array([[0, 4, 2], [4, 0, 4], [2, 4, 0]])
    expected = 0.9 * np.eye(3) + 0.1 * distance / 20 * 3
    np.testing.assert_allclose(compute_compatibility(peaks, 0.1), expected)


def test_matrix_of_peaks_that_coincide_is_the_identity() -> None:
    assert (compute_compatibility(np.ones((4, 2), np.int64), 0.001) == np.eye(4)).all()


def test_groups_of_equal_size_are_computed_together() -> None:
    peaks = np.random.default_rng(0).integers(0, 5, size=(3, 4, 2))
    peaks[1] = 2  # the peaks of one group coincide
    together = compute_compatibility(peaks, 0.1)
    for group, found in zip(peaks, together, strict=True):
        assert (found == compute_compatibility(group, 0.1)).all()


@pytest.mark.parametrize(("window", "stride"), [(8, 1), (7, 1), (1, 1), (8, 8), (3, 2)])
def test_peaks_are_those_of_average_pooling(window: int, stride: int) -> None:
    saliency = torch.rand(6, 24, 32, dtype=torch.float64)
    pooled = F.avg_pool2d(saliency, window, stride)
    flat = pooled.flatten(1).argmax(1)
    expected = torch.stack([flat // pooled.shape[2], flat % pooled.shape[2]], 1)
    assert _peaks(saliency, window, stride) == expected.tolist()


def test_a_window_wider_than_a_map_is_the_map() -> None:
    saliency = torch.rand(3, 4, 20)
    peaks = _peaks(saliency, 8, 1)
    assert [row for row, _ in peaks] == [0, 0, 0]


def test_a_stride_wider_than_a_map_takes_its_first_window() -> None:
    assert _peaks(torch.rand(3, 9, 20), 8, 2**63 - 1) == [[0, 0]] * 3


@pytest.mark.parametrize("spatial", [(40,), (12, 12, 12)])
def test_any_number_of_dimensions(spatial: tuple[int, ...]) -> None:
    saliency = torch.zeros(1, *spatial)
    block: Any = (0, *(slice(2, 10) for _ in spatial))
    saliency[block] = 1.0
    assert _peaks(saliency, 8, 1) == [[2] * len(spatial)]
