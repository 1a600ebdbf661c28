"""Tiny data and networks that are deterministic and quick to create."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

CLASSES = 4
BATCH = 10
SIZE = 30


def make_labels(classes: int = CLASSES, seed: int = 1) -> Tensor:
    return torch.randint(classes, (SIZE,), generator=torch.Generator().manual_seed(seed))


def make_images(channels: int = 1, side: int = 8, classes: int = CLASSES) -> tuple[Tensor, Tensor]:
    """Return noise with a bright quarter that depends on the class, as does the brightness above four classes."""
    labels = make_labels(classes)
    images = 0.3 * torch.randn(SIZE, channels, side, side, generator=torch.Generator().manual_seed(2))
    half = side // 2
    for image, label in zip(images, labels.tolist(), strict=True):
        row, column = half * (label % 2), half * (label // 2 % 2)
        image[:, row : row + half, column : column + half] += 1.0 + label // 4
    return images, labels


def make_series(channels: int = 3, length: int = 64, classes: int = CLASSES) -> tuple[Tensor, Tensor]:
    """Return noise (N, C, T) with a burst at a different place for each class."""
    labels = make_labels(classes)
    series = 0.3 * torch.randn(SIZE, channels, length, generator=torch.Generator().manual_seed(3))
    part = length // classes
    for signal, label in zip(series, labels.tolist(), strict=True):
        signal[:, part * label : part * (label + 1)] += torch.sin(torch.arange(part) * (1.0 + label))
    return series, labels


def make_tags(labels: int = CLASSES) -> Tensor:
    """Return several labels for each sample, (N, K), each 0 or 1."""
    return (torch.rand(SIZE, labels, generator=torch.Generator().manual_seed(4)) < 0.4).long()


class Items(Dataset[Any]):
    """A data set of whatever `make_item` returns for an index."""

    def __init__(self, make_item: Callable[[int], Any], size: int = SIZE) -> None:
        self.make_item, self.size = make_item, size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Any:
        return self.make_item(index)


def make_loader(data: Any, **settings: Any) -> DataLoader[Any]:
    """Return a loader with its own generator, for a data set, a tuple of tensors or a function of an index."""
    if isinstance(data, tuple):
        data = TensorDataset(*data)
    elif callable(data):
        data = Items(data)
    generator = torch.Generator().manual_seed(5)
    return DataLoader(data, batch_size=BATCH, generator=generator, **settings)


def image_loader() -> DataLoader[Any]:
    return make_loader(make_images())


def small_network(channels: int = 1, classes: int = CLASSES) -> nn.Sequential:
    """Return a network for 8 x 8 images: a convolution, BatchNorm and a linear head."""
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(96, classes),
    )  # fmt: skip


def small_backbone(channels: int = 1) -> nn.Sequential:
    """Return the part of `small_network` that computes the features (B, 96)."""
    return nn.Sequential(*list(small_network(channels))[:-1])
