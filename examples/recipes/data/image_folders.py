"""Data sets with one folder per class, and transforms of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of torchvision's pretrained networks, per channel, for values from 0 to 1
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def open_image_folder(folder: Path, transform: Callable[[Any], Any], num_classes: int) -> Any:
    """Return torchvision's data set for a folder that contains class folders.

    Raises:
        ValueError: If the number of class folders is not `num_classes`.
    """
    from torchvision.datasets import ImageFolder

    dataset = ImageFolder(folder, transform)
    check_number_of_classes(folder, len(dataset.classes), num_classes)
    return dataset


def check_number_of_classes(folder: Path, found: int, num_classes: int) -> None:
    """Check the number of classes in a folder.

    Raises:
        ValueError: If the numbers differ.
    """
    if found != num_classes:
        raise ValueError(
            f"{folder} must contain num_classes={num_classes} classes, found {found}. Check the folder, or set "
            "--data.num_classes."
        )


def normalised(*augmentations: Callable[[Any], Any], mean: Sequence[float], deviation: Sequence[float]) -> Any:
    """Return the transform that augments an RGB image and converts it to a normalised float32 tensor (3, H, W)."""
    import torch
    from torchvision.transforms import v2

    tensors = (v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, deviation), v2.ToPureTensor())
    return v2.Compose([*augmentations, *tensors])
