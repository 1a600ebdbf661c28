"""The images of each part: drawn by seed, apart for training, for choosing and for testing."""

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

_VALIDATION = 1000  # images; their accuracy has a standard error of about one point
_FEW_VALIDATION = 400  # where there are fewer than 3,000 images in all
# Heuristics: an item fills a fifth of the canvas at most, and is still recognised by eye.
_CLUTTER = Clutter(side=32, scraps=8, scrap_side=5)
_ITEM_SIDE, _DIGIT_SIDE = 14, 12
_CELL_SIDE = 32  # heuristic: cracks are still seen, and a step costs a ninth of that at 96
_LEAST_DEFECTIVE = 0.5  # of the probability that a cell is defective, which is 0, 1/3, 2/3 or 1


class Images(NamedTuple):
    """Images (N, 1, H, W), from 0 to 1, and their labels (N,)."""

    pixels: Tensor
    labels: Tensor

    def at(self, index: Tensor) -> Images:
        """Return some of them."""
        return Images(self.pixels[index], self.labels[index])


class Split(NamedTuple):
    """Images to train on, to choose by, and to look at once, in the end; none is in two of them."""

    train: Images
    validation: Images
    test: Images


@lru_cache(maxsize=1)  # runs one after the other often share it
def draw_split(part: str, labels: int, seed: int, folder: Path = DEBIAN_FOLDER) -> Split:
    """Draw the images of a run.

    Args:
        part: Name of the task.
        labels: How many images to train on.
        seed: Of the draws, those of the clutter too.
        folder: Where Fashion-MNIST is.
    """
    if part == "cells":
        return split_pool(read_cells(), labels, _FEW_VALIDATION, seed)
    if part == "digits":
        return clutter_split(split_pool(read_digits(), labels, _FEW_VALIDATION, seed), seed)
    pool, test = read_fashion(folder)
    split = split_pool(pool, labels, _VALIDATION, seed)._replace(test=test)
    return clutter_split(shrink(split), seed) if part == "clutter" else split


def split_pool(pool: Images, labels: int, validation: int, seed: int) -> Split:
    """Draw images to train on and to choose by, each class in its proportion; the rest is for testing.

    Args:
        pool: All images.
        labels: How many to train on.
        validation: How many to choose by; all that are left, if there are fewer.
        seed: Of the draws.
    """
    train, rest = _draw(torch.arange(len(pool.labels)), pool.labels, labels, seed)
    chosen, tested = (rest, rest[:0]) if len(rest) <= validation else _draw(rest, pool.labels, validation, seed)
    return Split(*(pool.at(index) for index in (train, chosen, tested)))


def _draw(index: Tensor, labels: Tensor, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return `size` elements of an index, and the others."""
    drawn, others = train_test_split(index.numpy(), train_size=size, stratify=labels[index], random_state=seed)
    return torch.from_numpy(drawn), torch.from_numpy(others)


def shrink(split: Split) -> Split:
    """Average the items down to their size in the clutter."""
    side = (_ITEM_SIDE, _ITEM_SIDE)
    return Split(*(Images(F.adaptive_avg_pool2d(part.pixels, side), part.labels) for part in split))


def clutter_split(split: Split, seed: int) -> Split:
    """Scatter each part among scraps of its own items alone."""
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
    """Return the solar cells of the package `elpv-dataset`, reduced; label 1: rather defective than not."""
    from elpv_dataset.utils import load_dataset  # only here: its licence bars commercial use

    pixels, probabilities, _ = load_dataset()
    images = torch.tensor(pixels).unsqueeze(1) / _BRIGHTEST
    labels = torch.tensor(probabilities >= _LEAST_DEFECTIVE).long()
    return Images(F.adaptive_avg_pool2d(images, (_CELL_SIDE, _CELL_SIDE)), labels)


@cache
def read_fashion(folder: Path) -> tuple[Images, Images]:
    """Return Fashion-MNIST's 60,000 and 10,000 images."""
    pixels, labels, test_pixels, test_labels = (torch.tensor(read_idx(folder / name)) for name in FASHION_FILES)
    return _as_images(pixels, labels), _as_images(test_pixels, test_labels)


def _as_images(pixels: Tensor, labels: Tensor) -> Images:
    return Images(pixels.unsqueeze(1) / _BRIGHTEST, labels.long())
