"""MixUp and CutMix as a `collate_fn` for the DataLoader.

Sources: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018; Yun et al., "CutMix: Regularization
Strategy to Train Strong Classifiers with Localizable Features", ICCV 2019. As in the papers with α = 1, the share of
the second image is uniform from 0 to 1. Here each image, rather than each batch, has its own.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import default_collate

from examples.digits_parts.sizes import CLASSES

# From images (N, C, H, W) to the share of its partner in each pixel of each image: (N, H, W), or (N, 1, 1) if constant.
Draw = Callable[[Tensor, torch.Generator], Tensor]


class MixPairs:
    """Collates samples into a batch and mixes all or the first part of it, which is random as batches are shuffled."""

    def __init__(self, draw: Draw, mixed_share: float, seed: int) -> None:
        """Seed the draws.

        Args:
            draw: Draws the share of its partner in each pixel of each image.
            mixed_share: Share of a batch to mix. The rest stays as it is.
            seed: Seed of all draws.
        """
        self.draw, self.mixed_share = draw, mixed_share
        self.draws = torch.Generator().manual_seed(seed)

    def __call__(self, samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Return images (B, C, H, W) and class probabilities (B, K)."""
        images, labels = default_collate(samples)
        targets = F.one_hot(labels, CLASSES).float()
        count = int(self.mixed_share * len(images))
        partners = torch.randperm(count, generator=self.draws)
        shares = self.draw(images[:count], self.draws)
        images[:count], targets[:count] = mix_pairs(images[:count], targets[:count], partners, shares)
        return images, targets


def draw_mixup(images: Tensor, draws: torch.Generator) -> Tensor:
    """Draw one share for all pixels of an image, (N, 1, 1)."""
    return torch.rand(len(images), 1, 1, generator=draws)


def draw_cutmix(images: Tensor, draws: torch.Generator) -> Tensor:
    """Draw a square box with a random centre for each image, clipped to the image: (N, side, side), 1 inside.

    The box's share of the image is uniform before the clipping.
    """
    count, side = len(images), images.shape[-1]
    half = side * torch.rand(count, 1, generator=draws).sqrt() / 2
    centres = side * torch.rand(2, count, 1, generator=draws)
    rows, columns = (torch.arange(side) + 0.5 - centres).abs() < half
    return (rows[:, :, None] & columns[:, None, :]).float()


def mix_pairs(images: Tensor, targets: Tensor, partners: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Average each image with its partner, pixel by pixel, and their targets by their share of the image.

    Args:
        images: (N, C, H, W).
        targets: (N, K) class probabilities.
        partners: (N,) index of each image's partner.
        shares: (N, H, W) or (N, 1, 1) share of the partner in each pixel.
    """
    weights = shares.mean((1, 2))[:, None]
    mixed = torch.lerp(images, images[partners], shares[:, None])
    return mixed, torch.lerp(targets, targets[partners], weights)
