from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from examples.evaluation.localization import localize, measure_localization, spread
from tests.evaluation.tiny import make_source


class Channels(nn.Module):
    """A network whose class activation map for class k is channel k of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return self.look(images).mean((2, 3))


# All images have a square from 4 to 10 in channel 1. The box filter widens it to 3 to 11 (a third of 9 pixels at the
# edge).
_IMAGES = torch.zeros(4, 2, 32, 32)
_IMAGES[:, 1, 4:10, 4:10] = 1
_TARGETS = torch.tensor([1, 1, 0, 1])
_BOXES = {
    3: torch.tensor([[20.0, 0, 24, 4], [4, 4, 10, 10]]),  # the second box fits with 36 / 64
    0: torch.tensor([[19.0, 19, 27, 27]]),  # 8 away on both axes, which gives 64 / 64 unclamped
    2: torch.tensor([[4.0, 4, 10, 10]]),  # fits, but the class is wrong
}


def test_each_image() -> None:
    found = list(localize(Channels(), "look", make_source(_IMAGES, _TARGETS), _BOXES, list(_BOXES)))
    assert [one.box.tolist() for one in found] == [[3, 3, 11, 11]] * 3
    assert [one.is_right for one in found] == [True, True, False]
    assert [one.overlap for one in found] == pytest.approx([36 / 64, 0, 36 / 64])
    assert [one.unclamped for one in found] == pytest.approx([36 / 64, 1, 36 / 64])


def test_shares() -> None:
    found = measure_localization(Channels(), "look", make_source(_IMAGES, _TARGETS), _BOXES)
    assert found == {
        "accuracy": pytest.approx(1 / 3),
        "accuracy, unclamped IoU": pytest.approx(2 / 3),
        "top-1": pytest.approx(2 / 3),
        "images": 3,
    }


def test_pictures_are_spread_over_the_data_set() -> None:
    assert spread([10, 11, 12, 13, 14, 15, 16], 3) == [10, 13, 16]
    assert spread([10, 11], 6) == [10, 11]
    with pytest.raises(ValueError, match="pictures must be at least 1, found 0"):
        spread([10, 11], 0)
