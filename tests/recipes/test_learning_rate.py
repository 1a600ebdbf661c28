"""The learning rates of the ImageNet recipe, compared with values computed by hand."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from examples.recipes.learning_rate import InterpolatedLearningRate, LearningRateLine, learning_rate
from tests.recipes.layouts import CONFIGS


def _imagenet_lines() -> list[LearningRateLine]:
    config = yaml.safe_load((CONFIGS / "imagenet.yaml").read_text(encoding="utf-8"))
    (callback,) = config["trainer"]["callbacks"]
    return [LearningRateLine(**line) for line in callback["init_args"]["lines"]]


@pytest.mark.parametrize(
    ("epoch", "share", "expected"),
    [
        (0, 0.5, 0.53125),  # 0.5 + 0.5 / 8 * 0.5
        (4, 1.0, 0.8125),  # five of the eight epochs from 0.5 to 1
        (7, 1.0, 1.0),
        (8, 1.0, 0.875),  # decreases by 0.875 / 7 = 0.125 per epoch
        (14, 1.0, 0.125),  # the end of the first phase
        (15, 0.5, 0.1964),  # 0.2 - 0.18 / 25 * 0.5
        (39, 1.0, 0.02),  # the end of the second phase
        (40, 1.0, 0.01928),  # 0.02 - 0.018 / 25
        (64, 1.0, 0.002),
        (89, 1.0, 0.0002),
        (99, 0.5, 0.000029),  # 0.00002 + 0.00018 / 10 * 0.5
        (99, 1.0, 0.00002),
    ],
)
def test_imagenet(epoch: int, share: float, expected: float) -> None:
    assert learning_rate(_imagenet_lines(), epoch, share) == pytest.approx(expected, rel=1e-9)


def test_a_line_holds_for_whole_epochs() -> None:
    lines = [LearningRateLine(epochs=[0], values=[1.0]), LearningRateLine(epochs=[1.5], values=[2.0])]
    assert [learning_rate(lines, epoch, 1.0) for epoch in (0, 1, 2)] == [1.0, 1.0, 2.0]


@pytest.mark.parametrize(("epochs", "values"), [([], []), ([0, 1], [1.0]), ([1, 1], [1.0, 2.0]), ([2, 1], [1.0, 2.0])])
def test_points_that_do_not_make_a_line(epochs: list[float], values: list[float]) -> None:
    with pytest.raises(ValueError, match="rising epochs and a value for each"):
        LearningRateLine(epochs=epochs, values=values)


@pytest.mark.parametrize("starts", [[], [1.0], [0.0, 5.0, 3.0], [0.0, 0.0]])
def test_lines_out_of_order(starts: list[float]) -> None:
    lines: list[Any] = [LearningRateLine(epochs=[start], values=[1.0]) for start in starts]
    with pytest.raises(ValueError, match="must begin at epoch 0 and be in order"):
        InterpolatedLearningRate(lines)
