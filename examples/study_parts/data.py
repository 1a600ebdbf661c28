"""The data: digits of scikit-learn, and Fashion-MNIST from a folder of IDX files."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.utils.data import TensorDataset

from examples import digits

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # of Debian's package dataset-fashion-mnist
_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_UNSIGNED_BYTES = 8  # the IDX format's code of the type
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
    return all(_find(folder, name) is not None for name in _FILES)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of bytes, gzipped or not: four bytes of header, big-endian sizes, then the values.

    Raises:
        ValueError: If it is none.
    """
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if data[:3] != bytes([0, 0, _UNSIGNED_BYTES]):
        raise ValueError(f"{path} must be an IDX file of bytes, found the header {data[:4].hex()}. Download it again.")
    start = 4 + 4 * data[3]
    shape = np.frombuffer(data[4:start], ">u4")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


@cache
def _read_fashion(folder: Path) -> list[Tensor]:
    """Return training images and classes, test images and classes, as bytes."""
    paths = [_find(folder, name) for name in _FILES]
    return [torch.tensor(read_idx(path)) for path in paths if path is not None]


def _find(folder: Path, name: str) -> Path | None:
    paths = (folder / name, folder / f"{name}.gz")
    return next((path for path in paths if path.is_file()), None)


def _as_floats(images: Tensor, classes: Tensor) -> TensorDataset:
    return TensorDataset(images.unsqueeze(1) / _BRIGHTEST, classes.long())
