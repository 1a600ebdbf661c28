"""The baselines, which are torchvision's MixUp and CutMix as callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import lightning as L
import numpy as np
import torch
from torch import Tensor

from lightning_comixup.training.seeding import choose_seed
from lightning_comixup.validation import check_number

# From a batch's inputs (B, C, H, W) and targets (B,) to mixed inputs and targets (B, K).
PairTransform = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class PairMixing(L.Callback):
    """Mix each training batch with itself, shifted by one, using a transform from torchvision.

    The batch must be a list (inputs, targets), as PyTorch's loaders make it.
    """

    transform_name: ClassVar[Literal["MixUp", "CutMix"]]

    def __init__(self, num_classes: int, alpha: float = 1.0) -> None:
        """Store the settings.

        Args:
            num_classes: Number K of classes. The command line sets it from the data.
            alpha: Parameter α of the Beta(α, α) distribution of the mixing weight, above 0.

        Raises:
            ValueError: If alpha is not above 0.
            TypeError: If alpha is not a number.
        """
        check_number("alpha", alpha, lowest=0.0, advice="Leave it out for the default, 1.0.")
        if alpha == 0:
            raise ValueError("alpha must be above 0, found 0. To train without mixing, use --mixing none.")
        self.num_classes, self.alpha = num_classes, float(alpha)
        self.seed = 0  # set when the run starts
        self._transform: PairTransform | None = None

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Make the transform."""
        if stage == "fit":
            self.seed = trainer.strategy.broadcast(choose_seed())
            self._transform = self._make_transform()

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Replace the inputs with mixed ones and the targets with (B, K) class probabilities."""
        assert self._transform is not None
        place = (self.seed, trainer.global_rank, trainer.current_epoch, batch_idx)
        # torchvision draws from PyTorch's global generator. Give it a seed for this batch and restore it afterwards, so
        # that a resumed run makes the same draws as an uninterrupted one, and mixing does not change the order of the
        # images.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))
            batch[0], batch[1] = mix_pairs(self._transform, batch[0], batch[1])

    def _make_transform(self) -> PairTransform:
        from torchvision.transforms import v2

        kind = getattr(v2, self.transform_name)
        transform: PairTransform = kind(num_classes=self.num_classes, alpha=self.alpha)
        return transform


class Mixup(PairMixing):
    """MixUp (Zhang, Cisse, Dauphin, Lopez-Paz, ICLR 2018)."""

    transform_name = "MixUp"


class Cutmix(PairMixing):
    """CutMix (Yun et al., ICCV 2019), for images and spectrograms."""

    transform_name = "CutMix"

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Replace the batch.

        Raises:
            ValueError: If the inputs are not images.
        """
        if batch[0].ndim != 4:
            shape = tuple(batch[0].shape)
            raise ValueError(f"CutMix needs images (B, C, H, W), found {shape}. For signals, use --mixing mixup.")
        super().on_train_batch_start(trainer, pl_module, batch, batch_idx)


def mix_pairs(transform: PairTransform, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Apply a transform of images to images (B, C, H, W), or to signals (B, C, T) as images with one row."""
    if inputs.ndim == 3:
        mixed, soft_targets = transform(inputs.unsqueeze(2), targets)
        return mixed.squeeze(2), soft_targets
    return transform(inputs, targets)
