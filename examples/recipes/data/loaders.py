"""Loaders of data sets that are split into training, validation and test samples."""

from __future__ import annotations

from typing import Any, NamedTuple

import lightning as L
import torch
from torch.utils.data import DataLoader, Dataset


class Splits(NamedTuple):
    """The three data sets of (input, target). Validation and test may be the same."""

    train: Dataset[Any]
    validation: Dataset[Any]
    test: Dataset[Any]


class SplitDataModule(L.LightningDataModule):
    """A data module with a fixed batch size. Subclasses define the splits."""

    def __init__(self, num_classes: int, batch_size: int, workers: int, drop_last: bool = False) -> None:
        """Store the settings.

        Args:
            num_classes: Number of classes.
            batch_size: Samples per batch and device.
            workers: Number of loading processes. 0 means that this process loads.
            drop_last: Whether to leave out a smaller last training batch.
        """
        super().__init__()
        self.num_classes = num_classes
        self.batch_size, self.workers, self.drop_last = batch_size, workers, drop_last
        self._splits: Splits | None = None

    def make_splits(self) -> Splits:
        """Open the data sets."""
        raise NotImplementedError

    def setup(self, stage: str) -> None:
        """Open the data sets, once."""
        self._splits = self._splits or self.make_splits()

    def train_dataloader(self) -> DataLoader[Any]:
        """Return shuffled training batches."""
        return make_loader(self._opened().train, self.batch_size, self.workers, shuffle=True, drop_last=self.drop_last)

    def val_dataloader(self) -> DataLoader[Any]:
        """Return validation batches."""
        return make_loader(self._opened().validation, self.batch_size, self.workers)

    def test_dataloader(self) -> DataLoader[Any]:
        """Return test batches."""
        return make_loader(self._opened().test, self.batch_size, self.workers)

    def _opened(self) -> Splits:
        if self._splits is None:
            raise RuntimeError("setup() must come before the loaders, found no data set opened. Call setup('fit').")
        return self._splits


def make_loader(
    dataset: Dataset[Any], batch_size: int, workers: int, *, shuffle: bool = False, drop_last: bool = False
) -> DataLoader[Any]:
    """Return a loader whose workers stay alive from one epoch to the next."""
    return DataLoader(
        dataset,
        batch_size,
        shuffle=shuffle,
        drop_last=drop_last,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )
