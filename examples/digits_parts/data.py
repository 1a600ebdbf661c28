"""Photographs with a number plate, which has a handwritten digit, and scraps of other plates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from examples.clutter import Clutter, scatter
from examples.digits_parts.photographs import draw_backgrounds

_BRIGHTEST = 16.0  # of the digits' grey levels

# Sizes in pixels, chosen by measurements on seeds that are not shown. The plates are small, but a small network can
# still read them.
_PLATE_SIDE = 12
_CLUTTER = Clutter(side=40, scraps=8, scrap_side=5)
_INK = 0.9  # of a digit, so that no pixel of a plate is 0, which marks the canvas around it
_TEST_PLACES = 4  # canvases per test digit. Heuristic: the accuracy varies less than with one


class Canvases(NamedTuple):
    """Canvases (N, 1, H, W) from 0 to 1, where their plates are, (N, 1, H, W) of 0 and 1, and labels (N,)."""

    images: Tensor
    plates: Tensor
    labels: Tensor


class Data(NamedTuple):
    """Training data and test data, each with images (N, 1, H, W) from 0 to 1 and labels (N,)."""

    train: TensorDataset
    test: TensorDataset


def load_images(side: int) -> tuple[Tensor, Tensor]:
    """Return all digits, enlarged from 8 × 8: images (N, 1, side, side) from 0 to 1 and labels (N,)."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / _BRIGHTEST
    return F.interpolate(images, size=(side, side), mode="bilinear"), torch.tensor(digits.target)


def split_images(labels: Tensor, train_images: int, seed: int) -> tuple[list[int], list[int]]:
    """Return the indices of the training images, drawn in proportion from each class, and of all other images."""
    train, test = train_test_split(range(len(labels)), train_size=train_images, stratify=labels, random_state=seed)
    return train, test


def draw_data(train_images: int, seed: int) -> Data:
    """Draw the training data and the test data."""
    return Data(*(TensorDataset(part.images, part.labels) for part in draw_canvases(train_images, seed)))


def draw_canvases(train_images: int, seed: int) -> tuple[Canvases, Canvases]:
    """Draw one canvas of each training digit, and several test canvases of each of the other digits."""
    images, labels = load_images(_PLATE_SIDE)
    plates = 1 - _INK * images
    train, test = split_images(labels, train_images, seed)
    first, *others = range(seed * (1 + _TEST_PLACES), (seed + 1) * (1 + _TEST_PLACES))  # one for each set of canvases
    return _place(plates[train], labels[train], [first]), _place(plates[test], labels[test], others)


def _place(plates: Tensor, labels: Tensor, seeds: Sequence[int]) -> Canvases:
    """Draw a canvas of each plate with each seed."""
    drawn = [_draw(plates, torch.Generator().manual_seed(seed)) for seed in seeds]
    # Places are drawn before scraps, so the same seed puts the plates at the same places on canvases without scraps.
    alone = [scatter(plates, _CLUTTER._replace(scraps=0), torch.Generator().manual_seed(seed)) for seed in seeds]
    return Canvases(torch.cat(drawn), (torch.cat(alone) > 0).float(), labels.repeat(len(seeds)))


def _draw(plates: Tensor, draws: torch.Generator) -> Tensor:
    """Draw plates and scraps of them in front of photographs."""
    front = scatter(plates, _CLUTTER, draws)
    return torch.where(front > 0, front, draw_backgrounds(len(plates), _CLUTTER.side, draws))
