"""MixUp and CutMix as functions of a batch and its draws, and functions that make the draws.

Sources: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018; Yun et al., "CutMix: Regularization
Strategy to Train Strong Classifiers with Localizable Features", ICCV 2019.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

ALPHA = 1.0  # of Beta(α, α), for both methods. Both papers use it on CIFAR. Shares are uniform from 0 to 1


class Mixture(NamedTuple):
    """A mixed batch: inputs (B, C, H, W) and class probabilities (B, K)."""

    inputs: Tensor
    targets: Tensor


class Box(NamedTuple):
    """Rows from `top` up to `bottom` and columns from `left` up to `right`, excluding `bottom` and `right`."""

    top: int
    bottom: int
    left: int
    right: int


def mixup(images: Tensor, targets: Tensor, partners: Tensor, share: float) -> Mixture:
    """Average each image and its target with its partner's.

    Args:
        images: (B, C, H, W).
        targets: (B, K) class probabilities.
        partners: (B,) index of each image's partner.
        share: Weight of the image itself. The partner has the rest.
    """
    return Mixture(*(share * part + (1 - share) * part[partners] for part in (images, targets)))


def cutmix(images: Tensor, targets: Tensor, partners: Tensor, box: Box) -> Mixture:
    """Replace a box in each image with its partner's pixels, and average the targets by area.

    Args:
        images: (B, C, H, W).
        targets: (B, K) class probabilities.
        partners: (B,) index of each image's partner.
        box: The box that the partner fills.
    """
    inside = torch.zeros(images.shape[2:], dtype=torch.bool, device=images.device)
    inside[box.top : box.bottom, box.left : box.right] = True
    area = (box.bottom - box.top) * (box.right - box.left) / inside.numel()
    return Mixture(torch.where(inside, images[partners], images), (1 - area) * targets + area * targets[partners])


def make_box(height: int, width: int, centre: tuple[int, int], share: float) -> Box:
    """Return a box with the image's proportions around a pixel, clipped to the image.

    Args:
        height: Rows of the image.
        width: Columns of the image.
        centre: Row and column of the pixel.
        share: Share of the image's area outside the box, before clipping.
    """
    spans = []
    for side, middle in zip((height, width), centre, strict=True):
        half = int(side * (1 - share) ** 0.5) // 2
        spans += [max(middle - half, 0), min(middle + half, side)]
    return Box(*spans)


def draw_mixup(images: Tensor, targets: Tensor, draws: np.random.Generator) -> Mixture:
    """Mix a batch with MixUp, with one share for the whole batch."""
    partners = _draw_partners(images, draws)
    return mixup(images, targets, partners, draws.beta(ALPHA, ALPHA))


def draw_cutmix(images: Tensor, targets: Tensor, draws: np.random.Generator) -> Mixture:
    """Mix a batch with CutMix, with one box for the whole batch."""
    partners = _draw_partners(images, draws)
    height, width = images.shape[2:]
    centre = (int(draws.integers(height)), int(draws.integers(width)))
    return cutmix(images, targets, partners, make_box(height, width, centre, draws.beta(ALPHA, ALPHA)))


def _draw_partners(images: Tensor, draws: np.random.Generator) -> Tensor:
    return torch.from_numpy(draws.permutation(len(images))).to(images.device)
