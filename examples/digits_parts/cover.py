"""Where each input went in a mixed batch, and how much of the digits in the targets is visible in the images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from examples.digits_parts.cutmix import draw_boxes
from examples.digits_parts.data import Canvases
from examples.digits_parts.sizes import CLASSES
from lightning_comixup import MixedBatch, comixup_batch, compute_saliency

GROUP = 20  # canvases mixed together, which is Co-Mixup's default


class Cover(NamedTuple):
    """The share of each input in each pixel of each output, (outputs, inputs, H, W). It sums to 1 over the inputs."""

    parts: Tensor

    def weights(self) -> Tensor:
        """Return the weight of each input in each target, (outputs, inputs). Both methods use the input's area."""
        return self.parts.mean((2, 3))

    def kept(self, digits: Tensor) -> Tensor:
        """Return the share of each input's ink that each output keeps, (outputs, inputs).

        Args:
            digits: (inputs, 1, H, W), without clutter.
        """
        ink = digits[:, 0]
        return (self.parts * ink).sum((2, 3)) / ink.sum((1, 2))


def cover_unmixed(count: int, side: int) -> Cover:
    """Return the cover of unmixed images."""
    return Cover(torch.eye(count)[:, :, None, None].expand(count, count, side, side))


def cover_cutmix(partners: Tensor, boxes: Tensor) -> Cover:
    """Return the cover of images (N,) mixed with their partners inside boxes (N, H, W)."""
    parts = torch.zeros(len(boxes), *boxes.shape)
    outputs = torch.arange(len(boxes))
    parts[outputs, outputs] += (~boxes).float()
    parts[outputs, partners] += boxes.float()
    return Cover(parts)


def cover_comixup(mixed: MixedBatch) -> Iterator[Cover]:
    """Yield the cover of each group of a mixed batch of square images."""
    scale = mixed.inputs.shape[-1] // mixed.masks[0].shape[-1]
    for group in map(torch.from_numpy, mixed.masks):
        yield Cover(group.repeat_interleave(scale, 2).repeat_interleave(scale, 3))


def mix_by_cutmix(canvases: Canvases, draws: torch.Generator) -> Iterator[Cover]:
    """Mix all canvases with CutMix, group by group.

    Args:
        canvases: The inputs.
        draws: Draws partners and boxes.
    """
    for group in canvases.images.split(GROUP):
        partners = torch.randperm(len(group), generator=draws)
        yield cover_cutmix(partners, draw_boxes(len(group), group.shape[-1], draws))


def mix_by_comixup(canvases: Canvases, network: nn.Module, draws: torch.Generator) -> Iterator[Cover]:
    """Mix all canvases with Co-Mixup at its defaults, group by group.

    Args:
        canvases: The inputs.
        network: The network that gives the saliency.
        draws: Draws the priors and the starts.
    """
    saliency = compute_saliency(network, canvases.images, canvases.labels)
    mixed = comixup_batch(canvases.images, canvases.labels, saliency, num_classes=CLASSES, generator=draws)
    return cover_comixup(mixed)


def visible_share(covers: Iterable[Cover], canvases: Canvases) -> float:
    """Return the share of the targets' weight whose digit is visible in the image.

    A digit's weight counts in proportion to the ink that the image keeps. Ink that is averaged with another canvas
    counts half.

    Args:
        covers: The covers of the canvases, group by group.
        canvases: The inputs.
    """
    groups = canvases.digits.split(GROUP)
    visible = [(cover.weights() * cover.kept(digits)).sum(1) for cover, digits in zip(covers, groups, strict=True)]
    return float(torch.cat(visible).mean())
