"""The module that every method trains."""

from __future__ import annotations

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError

from examples.study_parts.augment import flip_and_crop
from examples.study_parts.methods import Method
from examples.study_parts.network import CLASSES
from examples.study_parts.recipes import Recipe
from lightning_comixup import CoMixupMixin

BINS = 15  # of the calibration error
# As the authors of Co-Mixup train; the momentum with Nesterov's step.
_MOMENTUM = 0.9
_WEIGHT_DECAY = 1e-4


class Student(CoMixupMixin, L.LightningModule):
    """A network, the method that it is trained by and what is measured of it."""

    def __init__(self, recipe: Recipe, method: Method, seed: int) -> None:
        """Build the network; weights, augmentation and mixing each have draws of their own from the seed.

        Args:
            recipe: Of the data set.
            method: What happens to a batch before the loss.
            seed: The same for all methods that are compared.
        """
        super().__init__()
        self.recipe, self.method = recipe, method
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = recipe.make_network()
        self.augmentation = torch.Generator().manual_seed(seed)
        self.draws = np.random.default_rng(seed)
        accuracy = MulticlassAccuracy(CLASSES, average="micro")
        calibration_error = MulticlassCalibrationError(CLASSES, n_bins=BINS)
        self.test_metrics = MetricCollection({"accuracy": accuracy, "calibration_error": calibration_error})

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.network(images)
        return logits

    def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Augment a training batch, before any mixing."""
        images, targets = batch
        if self.trainer.training and self.recipe.padding is not None:
            images = flip_and_crop(images, self.recipe.padding, self.augmentation)
        return images, targets

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch; Co-Mixup's is mixed already, and its clean gradient is the callback's."""
        images, targets = batch
        if self.method.mix is None:
            return self.comixup_loss(self(images), targets)
        clean = self.comixup_clean_loss(images, targets) if self.method.adds_clean_loss else 0.0
        mixed = self.method.mix(images, F.one_hot(targets, CLASSES).float(), self.draws)
        return clean + self.comixup_loss(self(mixed.inputs), mixed.targets)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Measure on a batch."""
        images, targets = batch
        logits = self(images)
        self.test_metrics.update(logits.softmax(1), targets)
        self.log_dict(self.test_metrics)
        self.log("nll", self.comixup_loss(logits, targets), batch_size=len(images))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return SGD with one cycle of the learning rate over the epochs of the run, which ends near 0."""
        rate = self.recipe.learning_rate
        optimizer = torch.optim.SGD(
            self.parameters(), rate, momentum=_MOMENTUM, nesterov=True, weight_decay=_WEIGHT_DECAY
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, cycle_momentum=False)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
