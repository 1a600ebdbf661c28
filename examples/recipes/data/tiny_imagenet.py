"""Tiny-ImageNet, 200 classes of 64 × 64."""

from __future__ import annotations

from pathlib import Path

from examples.recipes.data.image_folders import normalised, open_image_folder
from examples.recipes.data.loaders import SplitDataModule, Splits

_SIDE, _PADDING = 64, 4  # the authors pad by 4
_MEAN = _DEVIATION = (0.5, 0.5, 0.5)  # the authors', of values from 0 to 1


class TinyImageNet(SplitDataModule):
    """Training images, with the official validation images for both validation and testing."""

    def __init__(self, folder: Path, num_classes: int = 200, batch_size: int = 100, workers: int = 8) -> None:
        """Store the settings.

        Args:
            folder: The unpacked archive, after `examples.recipes.arrange_tiny_imagenet` arranged its validation images.
            num_classes: Number of class folders in it.
            batch_size: Images per batch and device.
            workers: Number of loading processes. The authors use 8.
        """
        super().__init__(num_classes, batch_size, workers)
        self.folder = Path(folder)

    def make_splits(self) -> Splits:
        """Open the images.

        Raises:
            FileNotFoundError: If the validation images are not arranged by class.
        """
        from torchvision.transforms import v2

        held_out = self.folder / "val" / "images"
        if not any(path.is_dir() for path in held_out.glob("*")):
            raise FileNotFoundError(
                f"{held_out} must contain one folder per class, found none. Run "
                f"`python -m examples.recipes.arrange_tiny_imagenet {self.folder}` once."
            )
        augmentations = (v2.RandomHorizontalFlip(), v2.RandomCrop(_SIDE, padding=_PADDING))
        augmented = normalised(*augmentations, mean=_MEAN, deviation=_DEVIATION)
        train = open_image_folder(self.folder / "train", augmented, self.num_classes)
        test = open_image_folder(held_out, normalised(mean=_MEAN, deviation=_DEVIATION), self.num_classes)
        return Splits(train, test, test)
