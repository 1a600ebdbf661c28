"""Where each input went in a mixed batch, and how much of the plates in the targets is visible in the images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from examples.digits_parts.data import Canvases
from examples.digits_parts.pairs import Draw
from examples.digits_parts.sizes import CLASSES
from lightning_comixup import MixedBatch, comixup_batch, compute_saliency

GROUP = 20  # canvases mixed together, which is Co-Mixup's default


class Cover(NamedTuple):
    """The share of each input in each pixel of each output, (outputs, inputs, H, W). It sums to 1 over the inputs."""

    parts: Tensor

    def weights(self) -> Tensor:
        """Return the weight of each input in each target, (outputs, inputs). Both methods use the input's area."""
        return self.parts.mean((2, 3))

    def kept(self, plates: Tensor) -> Tensor:
        """Return the share of each input's plate that each output keeps, (outputs, inputs).

        Args:
            plates: (inputs, 1, H, W), 1 where the plate is.
        """
        return (self.parts * plates[:, 0]).sum((2, 3)) / plates[:, 0].sum((1, 2))


def cover_unmixed(count: int, side: int) -> Cover:
    """Return the cover of unmixed images."""
    return Cover(torch.eye(count)[:, :, None, None].expand(count, count, side, side))


def cover_pairs(partners: Tensor, shares: Tensor) -> Cover:
    """Return the cover of images mixed with their partners (N,), whose share of each pixel is (N, H, W)."""
    parts = torch.zeros(len(shares), *shares.shape)
    outputs = torch.arange(len(shares))
    parts[outputs, outputs] += 1 - shares
    parts[outputs, partners] += shares
    return Cover(parts)


def cover_comixup(mixed: MixedBatch) -> Iterator[Cover]:
    """Yield the cover of each group of a mixed batch of square images."""
    scale = mixed.inputs.shape[-1] // mixed.masks[0].shape[-1]
    for group in map(torch.from_numpy, mixed.masks):
        yield Cover(group.repeat_interleave(scale, 2).repeat_interleave(scale, 3))


def mix_in_pairs(canvases: Canvases, draws: torch.Generator, draw: Draw) -> Iterator[Cover]:
    """Mix all canvases in pairs, group by group.

    Args:
        canvases: The inputs.
        draws: Draws the partners and their shares.
        draw: Draws the share of its partner in each pixel of each image.
    """
    for group in canvases.images.split(GROUP):
        partners = torch.randperm(len(group), generator=draws)
        yield cover_pairs(partners, draw(group, draws).expand(len(group), *group.shape[2:]))


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
    """Return the share of the targets' weight whose plate is visible in the image.

    The weight counts in proportion to the share of the plate that the image keeps. A plate that is averaged half and
    half with another canvas counts half.

    Args:
        covers: The covers of the canvases, group by group.
        canvases: The inputs.
    """
    groups = canvases.plates.split(GROUP)
    visible = [(cover.weights() * cover.kept(plates)).sum(1) for cover, plates in zip(covers, groups, strict=True)]
    return float(torch.cat(visible).mean())
