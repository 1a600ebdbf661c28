"""The study's MixUp and CutMix, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from examples.study_parts.mixup import Box, cutmix, draw_cutmix, draw_mixup, make_box, mixup

_IMAGES = torch.stack([torch.zeros(1, 2, 4), torch.ones(1, 2, 4)])
_TARGETS = torch.eye(2)
_PARTNERS = torch.tensor([1, 0])


def test_mixup_by_hand() -> None:
    mixed = mixup(_IMAGES, _TARGETS, _PARTNERS, 0.75)
    torch.testing.assert_close(mixed.inputs, torch.stack([torch.full((1, 2, 4), 0.25), torch.full((1, 2, 4), 0.75)]))
    torch.testing.assert_close(mixed.targets, torch.tensor([[0.75, 0.25], [0.25, 0.75]]))


def test_cutmix_by_hand() -> None:
    mixed = cutmix(_IMAGES, _TARGETS, _PARTNERS, Box(top=0, bottom=1, left=1, right=4))
    assert mixed.inputs[0, 0].tolist() == [[0, 1, 1, 1], [0, 0, 0, 0]]
    assert mixed.inputs[1, 0].tolist() == [[1, 0, 0, 0], [1, 1, 1, 1]]
    assert mixed.targets.tolist() == [[5 / 8, 3 / 8], [3 / 8, 5 / 8]]


@pytest.mark.parametrize(
    ("centre", "share", "box"),
    [
        ((10, 20), 0.75, Box(5, 15, 10, 30)),  # half of each side
        ((0, 39), 0.75, Box(0, 5, 29, 40)),  # cut off at the edges
        ((10, 20), 1.0, Box(10, 10, 20, 20)),  # nothing
        ((10, 20), 0.0, Box(0, 20, 0, 40)),  # everything
    ],
)
def test_boxes_by_hand(centre: tuple[int, int], share: float, box: Box) -> None:
    assert make_box(20, 40, centre, share) == box


@pytest.mark.parametrize("draw", [draw_mixup, draw_cutmix])
def test_draws_differ_and_are_reproducible(draw: type) -> None:
    images, targets = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.eye(6)
    before = images.clone()
    draws = np.random.default_rng(0)
    first, second = draw(images, targets, draws), draw(images, targets, draws)
    assert not torch.equal(first.targets, second.targets)
    torch.testing.assert_close(first, draw(images, targets, np.random.default_rng(0)))
    assert torch.equal(images, before)
    torch.testing.assert_close(first.targets.sum(1), torch.ones(6))


@pytest.mark.parametrize("draw", [draw_mixup, draw_cutmix])
def test_shares_are_drawn_evenly(draw: type) -> None:
    """Small shares are as likely as others, both of MixUp's images and of the area of CutMix's boxes."""
    draws = np.random.default_rng(0)
    images = torch.stack([torch.zeros(1, 32, 32), torch.ones(1, 32, 32)])
    shares = torch.stack([draw(images, _TARGETS, draws).targets[0, 0] for _ in range(800)])
    mixed = shares[shares < 1]
    assert 300 < len(mixed) < 450  # in half of the draws, no image has a partner
    assert 0.07 < float((mixed > 0.9).float().mean()) < 0.25
    assert float(mixed.min()) < 0.25
