"""Stanford Cars and FGVC-Aircraft, in the folders that torchvision reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from examples.recipes.data.image_folders import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    check_number_of_classes,
    normalised,
)
from examples.recipes.data.loaders import SplitDataModule, Splits

_SMALLEST_SCALE = 0.5  # of the random crops' areas (OpenMixup's configuration for both data sets)


class FineGrained(SplitDataModule):
    """Images of any size, with the official test images as the validation set."""

    def __init__(
        self, folder: Path, num_classes: int, batch_size: int = 16, workers: int = 4, resize: int = 256, crop: int = 224
    ) -> None:
        """Store the settings.

        Args:
            folder: Folder that contains torchvision's folder of the data set.
            num_classes: Number of classes in the data set.
            batch_size: Images per batch and device.
            workers: Number of loading processes.
            resize: Shorter side before the crop, in pixels.
            crop: Side of the square crop, in pixels.
        """
        super().__init__(num_classes, batch_size, workers, drop_last=True)
        self.folder, self.resize, self.crop = Path(folder), resize, crop

    def make_splits(self) -> Splits:
        """Open the images."""
        from torchvision.transforms import v2

        resize, crop = v2.Resize(self.resize), v2.CenterCrop(self.crop)
        varied = v2.RandomResizedCrop(self.crop, scale=(_SMALLEST_SCALE, 1.0))
        statistics = {"mean": IMAGENET_MEAN, "deviation": IMAGENET_DEVIATION}
        train = self.open_split(True, normalised(resize, varied, v2.RandomHorizontalFlip(), **statistics))
        test = self.open_split(False, normalised(resize, crop, **statistics))
        check_number_of_classes(self.folder, len(train.classes), self.num_classes)
        return Splits(train, test, test)

    def open_split(self, is_train: bool, transform: Any) -> Any:
        """Open the training or the test images."""
        raise NotImplementedError


class StanfordCars(FineGrained):
    """196 models of cars, in `stanford_cars` inside `folder`."""

    def open_split(self, is_train: bool, transform: Any) -> Any:
        """Open the training or the test images."""
        from torchvision import datasets

        split = "train" if is_train else "test"
        return datasets.StanfordCars(self.folder, split, transform, target_transform=int)  # from small unsigned numbers


class FGVCAircraft(FineGrained):
    """100 variants of aircraft, in `fgvc-aircraft-2013b` inside `folder`.

    Training uses the official training and validation images together.
    """

    def open_split(self, is_train: bool, transform: Any) -> Any:
        """Open the training or the test images."""
        from torchvision import datasets

        return datasets.FGVCAircraft(self.folder, "trainval" if is_train else "test", "variant", transform)
