"""CIFAR-10 and CIFAR-100."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from examples.recipes.data.image_folders import normalised
from examples.recipes.data.loaders import SplitDataModule, Splits

_SIDE, _PADDING = 32, 2  # the authors pad by 2
_BRIGHTEST = 255
# Mean and deviation of the red, green and blue values from 0 to 255 (the authors').
_STATISTICS = {
    10: ((125.3, 123.0, 113.9), (63.0, 62.1, 66.7)),
    100: ((129.3, 124.1, 112.4), (68.2, 65.4, 70.4)),
}


class CIFAR(SplitDataModule):
    """All training images, with the test images as the validation set, as in the authors' code."""

    def __init__(
        self,
        folder: Path,
        num_classes: Literal[10, 100] = 100,
        batch_size: int = 100,
        workers: int = 4,
        download: bool = False,
    ) -> None:
        """Store the settings.

        Args:
            folder: Folder that contains `cifar-10-batches-py` or `cifar-100-python`.
            num_classes: 10 for CIFAR-10 or 100 for CIFAR-100.
            batch_size: Images per batch and device.
            workers: Number of loading processes.
            download: Whether torchvision downloads missing files.
        """
        super().__init__(num_classes, batch_size, workers)
        self.folder, self.download = Path(folder), download

    def prepare_data(self) -> None:
        """Download the images, if requested."""
        if self.download:
            for is_train in (True, False):
                self._open(is_train, None, download=True)

    def make_splits(self) -> Splits:
        """Open the images."""
        from torchvision.transforms import v2

        mean, deviation = (tuple(value / _BRIGHTEST for value in row) for row in _STATISTICS[self.num_classes])
        augmentations = (v2.RandomHorizontalFlip(), v2.RandomCrop(_SIDE, padding=_PADDING))
        train = self._open(True, normalised(*augmentations, mean=mean, deviation=deviation))
        test = self._open(False, normalised(mean=mean, deviation=deviation))
        return Splits(train, test, test)

    def _open(self, is_train: bool, transform: Any, download: bool = False) -> Any:
        from torchvision import datasets

        kind: Any = datasets.CIFAR10 if self.num_classes == 10 else datasets.CIFAR100
        return kind(self.folder, is_train, transform, download=download)
