"""The images of each part, drawn by seed, with separate ones for training, for validation and for testing."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional as F

from examples.clutter import Clutter, scatter
from examples.idx import read_idx
from examples.study_parts.names import DEBIAN_FOLDER, FASHION_FILES

_BRIGHTEST = 255.0
_DIGITS_BRIGHTEST = 16.0  # of scikit-learn's grey levels

_VALIDATION = 1000  # images, with which accuracy has a standard error of about one point
_FEW_VALIDATION = 400  # for tasks with fewer than 3,000 images in all
# Heuristics: an item fills at most a fifth of the canvas, and people can still recognise it.
_CLUTTER = Clutter(side=32, scraps=8, scrap_side=5)
_ITEM_SIDE, _DIGIT_SIDE = 14, 12
_CELL_SIDE = 32  # heuristic: cracks are still visible, and a step costs a ninth of one at 96
_LEAST_DEFECTIVE = 0.5  # threshold for the probability that a cell is defective, which is 0, 1/3, 2/3 or 1


class Images(NamedTuple):
    """Images (N, 1, H, W), from 0 to 1, and their labels (N,)."""

    pixels: Tensor
    labels: Tensor

    def at(self, index: Tensor) -> Images:
        """Return the images at these positions."""
        return Images(self.pixels[index], self.labels[index])


class Split(NamedTuple):
    """Images for training, for validation, and for testing once at the end. No image is in two of them."""

    train: Images
    validation: Images
    test: Images


@lru_cache(maxsize=1)  # consecutive runs often share a split
def draw_split(part: str, labels: int, seed: int, folder: Path = DEBIAN_FOLDER) -> Split:
    """Draw the images of a run.

    Args:
        part: Name of the task.
        labels: Number of training images.
        seed: Seed of all draws, including those of the clutter.
        folder: Folder of Fashion-MNIST.
    """
    if part == "cells":
        return split_pool(read_cells(), labels, _FEW_VALIDATION, seed)
    if part == "digits":
        return clutter_split(split_pool(read_digits(), labels, _FEW_VALIDATION, seed), seed)
    pool, test = read_fashion(folder)
    split = split_pool(pool, labels, _VALIDATION, seed)._replace(test=test)
    return clutter_split(shrink(split), seed) if part == "clutter" else split


def split_pool(pool: Images, labels: int, validation: int, seed: int) -> Split:
    """Draw training and validation images, in proportion from each class, and keep the rest for testing.

    Args:
        pool: All images.
        labels: Number of training images.
        validation: Number of validation images. If fewer images are left, all of them are used.
        seed: Seed of the draws.
    """
    train, rest = _draw(torch.arange(len(pool.labels)), pool.labels, labels, seed)
    chosen, tested = (rest, rest[:0]) if len(rest) <= validation else _draw(rest, pool.labels, validation, seed)
    return Split(*(pool.at(index) for index in (train, chosen, tested)))


def _draw(index: Tensor, labels: Tensor, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return `size` elements of an index, and the others."""
    drawn, others = train_test_split(index.numpy(), train_size=size, stratify=labels[index], random_state=seed)
    return torch.from_numpy(drawn), torch.from_numpy(others)


def shrink(split: Split) -> Split:
    """Shrink the items, by averaging, to their size in the clutter."""
    side = (_ITEM_SIDE, _ITEM_SIDE)
    return Split(*(Images(F.adaptive_avg_pool2d(part.pixels, side), part.labels) for part in split))


def clutter_split(split: Split, seed: int) -> Split:
    """Scatter the items of each part among scraps from the same part only."""
    draws = torch.Generator().manual_seed(seed)
    return Split(*(Images(scatter(part.pixels, _CLUTTER, draws), part.labels) for part in split))


def read_digits() -> Images:
    """Return scikit-learn's digits, enlarged."""
    digits = load_digits()
    pixels = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / _DIGITS_BRIGHTEST
    enlarged = F.interpolate(pixels, size=(_DIGIT_SIDE, _DIGIT_SIDE), mode="bilinear")
    return Images(enlarged, torch.tensor(digits.target))


@cache
def read_cells() -> Images:
    """Return the solar cells of the package `elpv-dataset`, reduced in size. Label 1 means probably defective."""
    from elpv_dataset.utils import load_dataset  # imported only here, because its licence bars commercial use

    pixels, probabilities, _ = load_dataset()
    images = torch.tensor(pixels).unsqueeze(1) / _BRIGHTEST
    labels = torch.tensor(probabilities >= _LEAST_DEFECTIVE).long()
    return Images(F.adaptive_avg_pool2d(images, (_CELL_SIDE, _CELL_SIDE)), labels)


@cache
def read_fashion(folder: Path) -> tuple[Images, Images]:
    """Return Fashion-MNIST's 60,000 training images and 10,000 test images."""
    pixels, labels, test_pixels, test_labels = (torch.tensor(read_idx(folder / name)) for name in FASHION_FILES)
    return _as_images(pixels, labels), _as_images(test_pixels, test_labels)


def _as_images(pixels: Tensor, labels: Tensor) -> Images:
    return Images(pixels.unsqueeze(1) / _BRIGHTEST, labels.long())
