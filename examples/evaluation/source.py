"""The images of a data module in the order of the data set, for as many passes as the measures need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader

Split = Literal["validate", "test"]


class Batch(NamedTuple):
    """Normalised images, (B, C, H, W) float, and their targets, (B,) integers."""

    images: Tensor
    targets: Tensor


class Source(NamedTuple):
    """A loader as a model for others, and the device to measure on."""

    loader: DataLoader[Any]
    device: torch.device

    @property
    def size(self) -> int:
        """Return the number of images in the data set."""
        return len(self.loader.dataset)  # type: ignore[arg-type]

    @property
    def names(self) -> list[str]:
        """Return the images' paths if the data set has `samples`, as in torchvision, and otherwise their positions."""
        samples = getattr(self.loader.dataset, "samples", None)
        return [str(i) for i in range(self.size)] if samples is None else [str(path) for path, _ in samples]

    def batches(self, indices: Sequence[int] | None = None) -> Iterator[Batch]:
        """Yield the images at these positions of the data set, in this order. None means all images."""
        loader = DataLoader(
            self.loader.dataset,
            batch_size=self.loader.batch_size,
            sampler=range(self.size) if indices is None else indices,
            num_workers=self.loader.num_workers,
            collate_fn=self.loader.collate_fn,
            worker_init_fn=self.loader.worker_init_fn,
        )
        for batch in loader:
            yield Batch(*(part.to(self.device) for part in _images_and_targets(batch)))

    def others(self, indices: Sequence[int], generator: torch.Generator) -> list[int]:
        """Draw another position for each position, uniformly.

        Raises:
            ValueError: If the data set has only one image.
        """
        if self.size < 2:
            raise ValueError(f"Another image needs a data set of at least 2, found {self.size}. Use a larger one.")
        own = torch.as_tensor(indices)
        drawn = torch.randint(self.size - 1, own.shape, generator=generator)
        return (drawn + (drawn >= own)).tolist()


def open_source(data: L.LightningDataModule, split: Split, device: torch.device) -> Source:
    """Set up a data module without a Trainer and return its images.

    Raises:
        TypeError: If the split does not have exactly one DataLoader, with batches of a fixed size from a data set of
            known length.
    """
    data.prepare_data()
    data.setup(split)
    loader = data.val_dataloader() if split == "validate" else data.test_dataloader()
    if isinstance(loader, Sequence) and len(loader) == 1:
        [loader] = loader
    if not isinstance(loader, DataLoader) or loader.batch_size is None or not hasattr(loader.dataset, "__len__"):
        raise TypeError(
            "The split must have one DataLoader, with a batch_size and a data set of known length, found "
            f"{type(loader).__name__}. Write a data module that returns one."
        )
    return Source(loader, device)


def _images_and_targets(batch: Any) -> tuple[Tensor, Tensor]:
    """Return the first two parts of a batch, which may have more."""
    if isinstance(batch, (tuple, list)) and len(batch) >= 2:
        images, targets = batch[:2]
        if isinstance(images, Tensor) and images.ndim == 4 and isinstance(targets, Tensor) and targets.ndim == 1:
            return images, targets
    raise TypeError(
        "Batches must be (images (B, C, H, W), targets (B,)), with or without further parts, found "
        f"{type(batch).__name__}. Give the loader a collate_fn that returns such batches."
    )
