"""The same group mixed in three ways: with MixUp, with CutMix, and with Co-Mixup at the package's defaults."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from examples.gallery_parts.group import Group
from examples.study_parts.mixup import cutmix, make_box, mixup
from lightning_comixup import MixedBatch, comixup_batch

# The image's own share. Its partner has the rest. Heuristic: close to a half, as with Co-Mixup, but you can tell which
# is which.
SHARE = 0.6
_SEED = 0  # of the box's centre, the first one drawn


def mix_by_mixup(group: Group) -> MixedBatch:
    """Average each image with the next one."""
    parts, targets = _unmixed(group)
    return _mix(group, *mixup(parts, targets, _partners(group), SHARE))


def mix_by_cutmix(group: Group) -> MixedBatch:
    """Fill a box in each image with the next one's pixels. All images have the same box."""
    height, width = group.images.shape[2:]
    draws = np.random.default_rng(_SEED)
    centre = (int(draws.integers(height)), int(draws.integers(width)))
    parts, targets = _unmixed(group)
    return _mix(group, *cutmix(parts, targets, _partners(group), make_box(height, width, centre, SHARE)))


def mix_by_comixup(group: Group) -> MixedBatch:
    """Mix with the first seed, counted from 0, that leaves no output unmixed. Nothing else determines the seed."""
    batches = (mix_with_seed(group, seed) for seed in itertools.count())
    return next(mixed for mixed in batches if ((mixed.mixing_weights > 0).sum(1) > 1).all())


def mix_with_seed(group: Group, seed: int) -> MixedBatch:
    """Mix with Co-Mixup at the package's defaults, with each image as its own class."""
    count = len(group.images)
    return comixup_batch(group.images, torch.arange(count), group.saliency, num_classes=count, generator=seed)


def _partners(group: Group) -> Tensor:
    return torch.arange(len(group.images)).roll(-1)


def _unmixed(group: Group) -> tuple[Tensor, Tensor]:
    """Return each image's share in each pixel of the unmixed batch, (N, N, H, W), and the batch's targets."""
    count, _, height, width = group.images.shape
    targets = torch.eye(count)
    return targets[:, :, None, None].expand(count, count, height, width), targets


def _mix(group: Group, parts: Tensor, targets: Tensor) -> MixedBatch:
    """Mix the images by their shares in each pixel, (outputs, N, H, W)."""
    inputs = torch.einsum("mnhw,nchw->mchw", parts, group.images)
    return MixedBatch(inputs, targets, targets, (parts.numpy(),))
