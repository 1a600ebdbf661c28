"""ImageNet-1k in phases of growing crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
from torch.utils.data import DataLoader

from examples.recipes.data.image_folders import IMAGENET_DEVIATION, IMAGENET_MEAN, normalised, open_image_folder
from examples.recipes.data.loaders import make_loader


@dataclass(frozen=True, kw_only=True)
class Phase:
    """The form of the training images from some epoch on.

    Attributes:
        first_epoch: Epoch in which the phase begins.
        stored_side: Shorter side of the images on disk, in pixels, which is also the name of their folder.
        crop: Side of the square crops, in pixels.
        smallest_scale: Smallest area of the random crops, as a share of the image.
        batch_size: Images per batch, over all devices together.
    """

    first_epoch: int
    stored_side: int
    crop: int
    smallest_scale: float
    batch_size: int


def phase_of(phases: Sequence[Phase], epoch: int) -> Phase:
    """Return the phase of an epoch: the last one that has begun."""
    return [phase for phase in phases if phase.first_epoch <= epoch][-1]


class ImageNet(L.LightningDataModule):
    """Folders of resized images, `FOLDER/SIDE/train/CLASS/...` and `FOLDER/SIDE/val/CLASS/...`.

    The Trainer must make new loaders for every epoch, with reload_dataloaders_every_n_epochs=1.
    """

    def __init__(
        self,
        folder: Path,
        phases: list[Phase],
        num_classes: int = 1000,
        workers: int = 12,
        validation_resize: int = 256,
        validation_crop: int = 224,
    ) -> None:
        """Check and store the settings.

        Args:
            folder: Folder made by `examples.recipes.resize_imagenet`.
            phases: Phases in the order of their first epochs. The first one begins at epoch 0.
            num_classes: Number of class folders.
            workers: Number of loading processes per device.
            validation_resize: Shorter side of validation images before the crop, in pixels.
            validation_crop: Side of their square central crop, in pixels.

        Raises:
            ValueError: If the phases do not begin at 0 or are not in order.
        """
        super().__init__()
        starts = [phase.first_epoch for phase in phases]
        if not starts or starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError(f"phases must begin at epoch 0 and be in order, found phases that begin at {starts}.")
        self.folder, self.phases, self.num_classes, self.workers = Path(folder), phases, num_classes, workers
        self.validation_resize, self.validation_crop = validation_resize, validation_crop

    def train_dataloader(self) -> DataLoader[Any]:
        """Return shuffled training batches of the phase that the Trainer is in.

        Raises:
            ValueError: If the Trainer would keep one phase's loader, or the devices cannot share the batch evenly.
        """
        from torchvision.transforms import v2

        trainer = self._trainer()
        found = trainer.reload_dataloaders_every_n_epochs  # type: ignore[attr-defined]  # set outside its class
        if found != 1 and len(self.phases) > 1:
            raise ValueError(f"Phases need --trainer.reload_dataloaders_every_n_epochs 1, found {found}.")
        phase = phase_of(self.phases, trainer.current_epoch)
        crop = v2.RandomResizedCrop(phase.crop, scale=(phase.smallest_scale, 1.0))
        transform = _transform(crop, v2.RandomHorizontalFlip())
        images = open_image_folder(self.folder / str(phase.stored_side) / "train", transform, self.num_classes)
        batch_size = share_out(phase.batch_size, trainer.world_size)
        return make_loader(images, batch_size, self.workers, shuffle=True, drop_last=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """Return validation batches. Every phase uses the last phase's images."""
        from torchvision.transforms import v2

        last = self.phases[-1]
        transform = _transform(v2.Resize(self.validation_resize), v2.CenterCrop(self.validation_crop))
        images = open_image_folder(self.folder / str(last.stored_side) / "val", transform, self.num_classes)
        return make_loader(images, share_out(last.batch_size, self._trainer().world_size), self.workers)

    def test_dataloader(self) -> DataLoader[Any]:
        """Return the validation batches, because the test images have no public labels."""
        return self.val_dataloader()

    def _trainer(self) -> L.Trainer:
        if self.trainer is None:
            raise RuntimeError("ImageNet's loaders need a Trainer's epoch, found none. Pass this data module to fit.")
        return self.trainer


def share_out(batch_size: int, devices: int) -> int:
    """Return the batch size of one device.

    Raises:
        ValueError: If the devices cannot share the batch evenly.
    """
    if batch_size % devices:
        raise ValueError(
            "A phase's batch_size must be a multiple of the number of devices, found "
            f"{batch_size} images for {devices} devices. Change one or the other."
        )
    return batch_size // devices


def _transform(*augmentations: Any) -> Any:
    return normalised(*augmentations, mean=IMAGENET_MEAN, deviation=IMAGENET_DEVIATION)
