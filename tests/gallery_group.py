"""A small group of random images for the tests of the gallery."""

from __future__ import annotations

import torch
from torch import nn

from examples.gallery_parts.group import Group, make_group

COUNT, SIDE = 4, 16
NAMES, COLOURS = ("a", "b", "c", "d"), ("#E69F00", "#D55E00", "#0072B2", "#009E73")


def make_network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * (SIDE - 2) ** 2, 10))


def make_random_group() -> Group:
    images = torch.rand(COUNT, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return make_group(make_network(), images, NAMES, COLOURS)
