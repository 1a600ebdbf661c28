from __future__ import annotations

import torch

from examples.evaluation.background import replace_background, with_noise, with_other_images
from examples.evaluation.boxes import inside
from examples.evaluation.normalization import Normalization
from tests.evaluation.tiny import make_source

_COUNT = 5


def _numbered() -> torch.Tensor:
    """Return images in which every pixel is the image's position."""
    return torch.arange(float(_COUNT)).view(-1, 1, 1, 1).expand(-1, 3, 4, 6)


def test_pixel_for_pixel() -> None:
    images = torch.arange(12.0).view(1, 2, 2, 3)
    is_object = torch.tensor([[[False, True, False], [False, True, True]]])
    found = replace_background(images, is_object, -images)
    assert found.tolist() == [[[[0, 1, -2], [-3, 4, 5]], [[-6, 7, -8], [-9, 10, 11]]]]


def test_another_image_behind_each_box() -> None:
    boxes = {4: torch.tensor([[0.0, 0, 2, 2]]), 1: torch.tensor([[1.0, 1, 3, 4]]), 2: torch.tensor([[5.0, 3, 6, 4]])}
    source = make_source(_numbered(), torch.arange(_COUNT))
    batches = list(with_other_images(source, boxes, torch.Generator().manual_seed(0)))
    images, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert targets.tolist() == [4, 1, 2]
    for image, (own, box) in zip(images, boxes.items(), strict=True):
        is_object = inside(box, 4, 6)
        assert (image[:, is_object] == own).all()
        [other] = image[:, ~is_object].unique().tolist()
        assert other != own


def test_noise_behind_each_box() -> None:
    normalization = Normalization([0.3], [0.2])
    boxes = {0: torch.tensor([[8.0, 0, 40, 40]]), 1: torch.tensor([[0.0, 0, 40, 8]])}
    images = normalization.from_pixels(torch.full((2, 1, 40, 40), 0.75))
    source = make_source(images, torch.arange(2))
    [batch] = with_noise(source, boxes, normalization, torch.Generator().manual_seed(0))
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    background = (0.3 + 0.2 * noise).clamp(0, 1)
    background[0, :, :, 8:] = 0.75
    background[1, :, :8] = 0.75
    torch.testing.assert_close(normalization.to_pixels(batch.images), background)
