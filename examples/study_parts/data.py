"""The data: digits of scikit-learn, and Fashion-MNIST from a folder of IDX files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.utils.data import TensorDataset

from examples import digits
from examples.idx import read_idx

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # of Debian's package dataset-fashion-mnist
_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_BRIGHTEST = 255.0


class Split(NamedTuple):
    """The images to train on and those to test on, (N, 1, H, W) from 0 to 1, with their labels (N,)."""

    train: TensorDataset
    test: TensorDataset


def split_digits(labels: int, seed: int) -> Split:
    """Draw training images, each class in its proportion; the rest is for testing."""
    images, classes = digits.load_images()
    parts = train_test_split(range(len(images)), train_size=labels, stratify=classes, random_state=seed)
    return Split(*(TensorDataset(images[part], classes[part]) for part in parts))


def split_fashion(folder: Path, labels: int, seed: int) -> Split:
    """Draw training images of the 60,000, each class in its proportion; all 10,000 test images are for testing."""
    images, classes, *test = _read_fashion(folder)
    drawn, _ = train_test_split(range(len(images)), train_size=labels, stratify=classes, random_state=seed)
    return Split(_as_floats(images[drawn], classes[drawn]), _as_floats(*test))


def has_fashion(folder: Path) -> bool:
    """Tell whether a folder has the four files of Fashion-MNIST."""
    return all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in _FILES)


@cache
def _read_fashion(folder: Path) -> list[Tensor]:
    """Return training images and classes, test images and classes, as bytes."""
    return [torch.tensor(read_idx(folder / name)) for name in _FILES]


def _as_floats(images: Tensor, classes: Tensor) -> TensorDataset:
    return TensorDataset(images.unsqueeze(1) / _BRIGHTEST, classes.long())
