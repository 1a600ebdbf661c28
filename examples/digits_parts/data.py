"""Handwritten digits at random places of cluttered canvases."""

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

_BRIGHTEST = 16.0  # of their grey levels

# Sizes in pixels. Chosen by measurements on seeds that are not shown: small digits, which a small network still learns.
_DIGIT_SIDE = 12
_CLUTTER = Clutter(side=40, scraps=16, scrap_side=5)
_TEST_PLACES = 4  # canvases of each test digit: heuristic, their accuracy varies less than that of one


class Canvases(NamedTuple):
    """Canvases (N, 1, H, W) from 0 to 1, the same with nothing but their digit, and labels (N,)."""

    images: Tensor
    digits: Tensor
    labels: Tensor


class Data(NamedTuple):
    """What is trained on and what is tested on: images (N, 1, H, W) from 0 to 1 and labels (N,)."""

    train: TensorDataset
    test: TensorDataset


def load_images(side: int) -> tuple[Tensor, Tensor]:
    """Return all digits, enlarged from 8 × 8: images (N, 1, side, side) from 0 to 1 and labels (N,)."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / _BRIGHTEST
    return F.interpolate(images, size=(side, side), mode="bilinear"), torch.tensor(digits.target)


def split_images(labels: Tensor, train_images: int, seed: int) -> tuple[list[int], list[int]]:
    """Return the indices of the images to train on, each class with its share of them, and those of all others."""
    train, test = train_test_split(range(len(labels)), train_size=train_images, stratify=labels, random_state=seed)
    return train, test


def draw_data(train_images: int, seed: int) -> Data:
    """Draw what is trained on and what is tested on."""
    return Data(*(TensorDataset(part.images, part.labels) for part in draw_canvases(train_images, seed)))


def draw_canvases(train_images: int, seed: int) -> tuple[Canvases, Canvases]:
    """Draw digits to train on, a canvas of each; all other digits are tested on, at several places each."""
    images, labels = load_images(_DIGIT_SIDE)
    train, test = split_images(labels, train_images, seed)
    first, *others = range(seed * (1 + _TEST_PLACES), (seed + 1) * (1 + _TEST_PLACES))  # of each canvas's own draws
    return _scatter(images[train], labels[train], [first]), _scatter(images[test], labels[test], others)


def _scatter(images: Tensor, labels: Tensor, seeds: Sequence[int]) -> Canvases:
    """Draw a canvas of each image with each seed."""
    # The places are drawn before the scraps: the same draws put the digits at the same places of empty canvases.
    cluttered, alone = (
        torch.cat([scatter(images, clutter, torch.Generator().manual_seed(seed)) for seed in seeds])
        for clutter in (_CLUTTER, _CLUTTER._replace(scraps=0))
    )
    return Canvases(cluttered, alone, labels.repeat(len(seeds)))
