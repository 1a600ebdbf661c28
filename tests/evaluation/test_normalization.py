from __future__ import annotations

import pytest
import torch

from examples.evaluation.normalization import Normalization


def test_there_and_back() -> None:
    normalization = Normalization([0.0, 0.5], [1.0, 0.25])
    images = torch.tensor([0.25, 2.0]).view(1, 2, 1, 1)
    assert normalization.to_pixels(images).flatten().tolist() == [0.25, 1]
    assert torch.equal(normalization.from_pixels(normalization.to_pixels(images)), images)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ([0.5, 0.5], [0.5], "mean must have 1 or 3 values, one per channel, found 2"),
        ([0.5], [0.0], "std must be positive, found 0.0"),
        ([0.0], [1.0], r"Pixels must lie in \[0, 1\] once the normalisation is undone, found \[-1, 1\]"),
        ([1.0], [1.0], r"Pixels must lie in \[0, 1\] once the normalisation is undone, found \[0, 2\]"),
    ],
)
def test_impossible_values(mean: list[float], std: list[float], message: str) -> None:
    images = torch.tensor([-1.0, 0, 1]).view(1, 3, 1, 1)
    Normalization([0.5], [0.5]).check(images)
    with pytest.raises(ValueError, match=message):
        Normalization(mean, std).check(images)
