"""Real saliency for the solver, from a briefly trained small network and handwritten digits at 32 × 32."""

from __future__ import annotations

import functools

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_comixup import compute_saliency

SIDE = 32
CLASSES = 10
_STEPS = 60  # of training, enough for the saliency to have a shape
_NOISE = 0.05


def make_network() -> nn.Sequential:
    """Return a small network for (B, 1, 32, 32)."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(128, CLASSES)),
    )


def make_images(size: int) -> tuple[Tensor, Tensor]:
    """Return images (size, 1, 32, 32) and their classes. Images repeat if the data set has too few."""
    digits = load_digits()
    draws = torch.Generator().manual_seed(0)
    rows = torch.cat([torch.randperm(len(digits.images), generator=draws) for _ in range(-(-size // 1797))])[:size]
    images = torch.tensor(digits.images / 16, dtype=torch.float32)[rows, None]
    wide = F.interpolate(images, size=SIDE, mode="bilinear")
    return wide + _NOISE * torch.randn(wide.shape, generator=draws), torch.tensor(digits.target)[rows]


@functools.cache
def _trained_network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = make_network()
        optimizer = torch.optim.Adam(network.parameters(), 1e-3)
        images, targets = make_images(64 * _STEPS)
        for inputs, classes in zip(images.split(64), targets.split(64), strict=True):
            optimizer.zero_grad()
            F.cross_entropy(network(inputs), classes).backward()
            optimizer.step()
    return network


def make_saliency(size: int) -> Tensor:
    """Return the saliency (size, 32, 32) of `size` images."""
    images, targets = make_images(size)
    parts = zip(images.split(100), targets.split(100), strict=True)
    return torch.cat([compute_saliency(_trained_network(), inputs, classes) for inputs, classes in parts])
