"""CutMix as a `collate_fn` for the DataLoader.

Source: Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features", ICCV 2019.
Here each image, rather than each batch, has its own box. As in the paper, a box's share of the image is uniform from 0
to 1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import default_collate

from examples.digits_parts.sizes import CLASSES


class CutMix:
    """Collates samples into a batch and mixes all or the first part of it, which is random as batches are shuffled."""

    def __init__(self, share: float, seed: int) -> None:
        """Seed the draws.

        Args:
            share: Share of a batch to mix. The rest stays as it is.
            seed: Seed of all draws.
        """
        self.share = share
        self.draws = torch.Generator().manual_seed(seed)

    def __call__(self, samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Return images (B, C, H, W) and class probabilities (B, K)."""
        images, labels = default_collate(samples)
        targets = F.one_hot(labels, CLASSES).float()
        mixed = int(self.share * len(images))
        partners = torch.randperm(mixed, generator=self.draws)
        boxes = draw_boxes(mixed, images.shape[-1], self.draws)
        images[:mixed], targets[:mixed] = cutmix(images[:mixed], targets[:mixed], partners, boxes)
        return images, targets


def draw_boxes(count: int, side: int, draws: torch.Generator) -> Tensor:
    """Draw a square box with a random centre for each image, clipped to the image.

    Args:
        count: Number N of images.
        side: Side of the images, in pixels.
        draws: Draws the boxes.

    Returns:
        (N, side, side), True inside.
    """
    half = side * torch.rand(count, 1, generator=draws).sqrt() / 2
    centres = side * torch.rand(2, count, 1, generator=draws)
    rows, columns = (torch.arange(side) + 0.5 - centres).abs() < half
    return rows[:, :, None] & columns[:, None, :]


def cutmix(images: Tensor, targets: Tensor, partners: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Fill a box in each image with its partner's pixels, and average the targets by area.

    Args:
        images: (N, C, H, W).
        targets: (N, K) class probabilities.
        partners: (N,) index of each image's partner.
        boxes: (N, H, W), True where the partner's pixels go.
    """
    share = boxes.float().mean((1, 2))[:, None]
    return torch.where(boxes[:, None], images[partners], images), (1 - share) * targets + share * targets[partners]
