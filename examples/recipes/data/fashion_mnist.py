"""Fashion-MNIST with few labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import TensorDataset

from examples.idx import read_idx
from examples.recipes.data.loaders import SplitDataModule, Splits

_CLASSES = 10
_BRIGHTEST = 255.0
_MEAN, _DEVIATION = 0.2860, 0.3530  # of the training images' values from 0 to 1, computed from them


class FashionMNIST(SplitDataModule):
    """A few training images of each class, with all test images as the validation set."""

    def __init__(
        self,
        folder: Path,
        labels_per_class: int = 100,
        choice: int = 0,
        batch_size: int = 100,
        workers: int = 0,
    ) -> None:
        """Store the settings.

        Args:
            folder: Folder that contains the four IDX files, compressed (.gz) or not.
            labels_per_class: Training images per class.
            choice: Seed for the choice of training images.
            batch_size: Images per batch and device.
            workers: Number of loading processes. 0 is enough, because the images are in memory.
        """
        super().__init__(_CLASSES, batch_size, workers)
        self.folder, self.labels_per_class, self.choice = Path(folder), labels_per_class, choice

    def make_splits(self) -> Splits:
        """Read the images and choose the training images."""
        labels = read_idx(self.folder / "train-labels-idx1-ubyte")
        chosen = choose_per_class(labels, self.labels_per_class, np.random.default_rng(self.choice))
        train = _dataset(read_idx(self.folder / "train-images-idx3-ubyte")[chosen], labels[chosen])
        test = _dataset(
            read_idx(self.folder / "t10k-images-idx3-ubyte"), read_idx(self.folder / "t10k-labels-idx1-ubyte")
        )
        return Splits(train, test, test)


def choose_per_class(labels: NDArray[np.uint8], count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return the indices of `count` samples of each class, in ascending order.

    Raises:
        ValueError: If a class has fewer.
    """
    chosen: list[NDArray[np.int64]] = []
    for label in range(_CLASSES):
        found = np.flatnonzero(labels == label)
        if not 1 <= count <= len(found):
            raise ValueError(f"labels_per_class must be from 1 to {len(found)} for class {label}, found {count}.")
        chosen.append(generator.choice(found, count, replace=False))
    return np.sort(np.concatenate(chosen))


def _dataset(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> TensorDataset:
    values = torch.from_numpy(images.astype(np.float32) / np.float32(_BRIGHTEST)).unsqueeze(1)
    return TensorDataset((values - _MEAN) / _DEVIATION, torch.from_numpy(labels.astype(np.int64)))
