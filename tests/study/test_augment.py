"""The study's augmentation: each image is moved as a whole, with its own random draws."""

from __future__ import annotations

import pytest
import torch

from examples.study_parts.augment import augment

_IMAGES = torch.arange(1.0, 1 + 80 * 2 * 5 * 6).reshape(80, 2, 5, 6)


@pytest.mark.parametrize("flips", [(), (3,), (2, 3)])
@pytest.mark.parametrize("padding", [0, 2])
def test_every_image_is_flipped_and_shifted_whole(flips: tuple[int, ...], padding: int) -> None:
    found = augment(_IMAGES, flips, padding, torch.Generator().manual_seed(0))
    kinds = set()
    for image, moved in zip(_IMAGES, found, strict=True):
        fits = [
            (turned, top, left)
            for turned in [(), (3,), (2,), (2, 3)]
            for top in range(2 * padding + 1)
            for left in range(2 * padding + 1)
            if torch.equal(_shifted(image.flip([dimension - 1 for dimension in turned]), top, left, padding), moved)
        ]
        assert len(fits) == 1
        kinds.add(fits[0])
    assert {turned for turned, _, _ in kinds} == {(), *([flips] if flips else []), *((flip,) for flip in flips)}
    assert {top for _, top, _ in kinds} == {left for _, _, left in kinds} == set(range(2 * padding + 1))


def test_it_depends_only_on_the_generator() -> None:
    one, again = (augment(_IMAGES, (3,), 2, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one, again)


def _shifted(image: torch.Tensor, top: int, left: int, padding: int) -> torch.Tensor:
    _, height, width = image.shape
    padded = torch.zeros(2, height + 2 * padding, width + 2 * padding)
    padded[:, padding : padding + height, padding : padding + width] = image
    return padded[:, top : top + height, left : left + width]
