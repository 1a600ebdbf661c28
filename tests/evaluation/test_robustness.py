from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from examples.evaluation.normalization import Normalization
from examples.evaluation.robustness import measure_backgrounds, measure_robustness
from tests.evaluation.tiny import make_source

_NORMALIZATION = Normalization([0.5], [0.5])


class ByPixel(nn.Module):
    """Predicts class 1 if a pixel is bright."""

    def __init__(self, pixel: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.pixel = pixel

    def forward(self, images: Tensor) -> Tensor:
        bright = self.pixel(images[:, 0])
        return torch.stack([-bright, bright], 1)


# A dark and a bright image, one of each class, and an image without boxes that is misclassified.
_IMAGES = torch.tensor([-0.5, 0.5, 0.5]).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
_BOXES = {position: torch.tensor([[2.0, 2, 6, 6]]) for position in (0, 1)}


def test_only_a_network_that_looks_at_the_background_is_misled() -> None:
    images = _IMAGES[:2]  # the other image is always of the other class
    source = make_source(images, torch.tensor([0, 1]))
    for pixel, accuracy in ((lambda image: image[:, 4, 4], 1.0), (lambda image: image[:, 0, 0], 0.0)):
        unchanged, other, _ = measure_backgrounds(ByPixel(pixel), source, _NORMALIZATION, _BOXES, seed=0)
        assert (unchanged.accuracy, other.accuracy) == (1, accuracy)


def test_images_without_boxes_do_not_count() -> None:
    source = make_source(_IMAGES, torch.tensor([0, 1, 0]))
    network = ByPixel(lambda image: image[:, 4, 4])
    found = list(measure_backgrounds(network, source, _NORMALIZATION, _BOXES, seed=0))
    assert [(one.accuracy, one.images) for one in found] == [(1, 2)] * 3


def test_noise_and_attack() -> None:
    # Pixels of 0.51 and 0.49 are 0.01 from the decision boundary, less than 8/255. Noise flips about a third of them.
    signs = torch.tensor([1.0, -1]).repeat(200)
    source = make_source(0.02 * signs.view(-1, 1, 1, 1).expand(-1, 1, 4, 4), (signs > 0).long(), batch_size=100)
    network = ByPixel(lambda image: image[:, 2, 2])
    little, much, attacked = measure_robustness(network, source, _NORMALIZATION, [0.001, 0.02], seed=0)
    assert (little.accuracy, little.deviation, attacked.accuracy, attacked.deviation) == (1, 0.001, 0, None)
    below_half_a_deviation = 0.6915
    assert much.accuracy == pytest.approx(below_half_a_deviation, abs=0.07)  # three standard errors
