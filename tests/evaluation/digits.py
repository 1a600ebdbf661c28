"""Digits at random places in a larger image, a module that learns them, and the boxes around them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lightning_comixup import CoMixupMixin

CLASSES = 10
_IMAGES, _TRAIN = 1200, 1000
_DIGIT, _CANVAS = 16, 28
MEAN, STD = 0.1, 0.3
_BRIGHTEST = 16.0


def make_digits() -> tuple[TensorDataset, Tensor]:
    """Return normalised images with their classes, and the boxes (N, 4) around the digits."""
    digits = load_digits()
    small = torch.tensor(digits.images[:_IMAGES], dtype=torch.float32)[:, None] / _BRIGHTEST
    small = F.interpolate(small, size=(_DIGIT, _DIGIT), mode="bilinear")
    draws = torch.Generator().manual_seed(0)
    corners = torch.randint(_CANVAS - _DIGIT + 1, (_IMAGES, 2), generator=draws)
    images = torch.zeros(_IMAGES, 1, _CANVAS, _CANVAS)
    for image, digit, (x, y) in zip(images, small, corners.tolist(), strict=True):
        image[:, y : y + _DIGIT, x : x + _DIGIT] = digit
    targets = torch.tensor(digits.target[:_IMAGES])
    return TensorDataset((images - MEAN) / STD, targets), torch.cat([corners, corners + _DIGIT], 1)


class Digits(L.LightningDataModule):
    def __init__(self, batch_size: int = 50) -> None:
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str) -> None:
        images, _ = make_digits()
        pixels, targets = images.tensors
        self.train = TensorDataset(pixels[:_TRAIN], targets[:_TRAIN])
        self.held_out = TensorDataset(pixels[_TRAIN:], targets[_TRAIN:])

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.train, self.batch_size, shuffle=True, generator=torch.Generator().manual_seed(0))

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.held_out, self.batch_size)


def write_boxes(path: Path) -> None:
    """Write the boxes of the held-out images, with each image's position in place of its path."""
    _, boxes = make_digits()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "x0", "y0", "x1", "y1"])
        writer.writerows([position, *box] for position, box in enumerate(boxes[_TRAIN:].tolist()))


class Lit(CoMixupMixin, L.LightningModule):
    """A network whose head has an unusual name and whose global pooling is not a module."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2))
        self.body = nn.Sequential(
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.trunk = nn.Sequential(nn.Conv2d(2 * width, 4 * width, 3, padding=1), nn.BatchNorm2d(4 * width), nn.ReLU())
        self.out = nn.Linear(4 * width, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.trunk(self.body(self.stem(images)))
        return self.out(maps.mean((2, 3)))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, targets = batch
        return self.comixup_loss(self(images), targets)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, targets = batch
        self.log("val_acc", (self(images).argmax(1) == targets).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=0.01)
