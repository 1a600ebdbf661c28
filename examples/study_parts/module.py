"""The module that every method trains."""

from __future__ import annotations

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional as F

from examples.study_parts.augment import augment
from examples.study_parts.methods import Method
from examples.study_parts.network import make_network
from examples.study_parts.recipes import Rates, Recipe
from lightning_comixup import CoMixupMixin

_MOMENTUM = 0.9  # with Nesterov's step, as the authors of Co-Mixup train


class Student(CoMixupMixin, L.LightningModule):
    """A network and the method of its training."""

    def __init__(self, network: str, recipe: Recipe, method: Method, seed: int, rates: Rates) -> None:
        """Build the network. Weights, augmentation and mixing each have their own draws from the seed.

        Args:
            network: Name of the network.
            recipe: Recipe of the part.
            method: How a batch is treated before the loss.
            seed: Seed, which is the same for all compared methods.
            rates: Rates of the optimiser.
        """
        super().__init__()
        self.recipe, self.method, self.rates = recipe, method, rates
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = make_network(network, recipe.classes)
        self.augmentation = torch.Generator().manual_seed(seed)
        self.draws = np.random.default_rng(seed)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.network(images)
        return logits

    def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Augment a training batch, before any mixing."""
        images, labels = batch
        return augment(images, self.recipe.flips, self.recipe.padding, self.augmentation), labels

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch. With Co-Mixup, the callback has already mixed it, and adds the clean gradient."""
        images, targets = batch
        if self.method.mix is None:
            return self.comixup_loss(self(images), targets)
        clean = self.comixup_clean_loss(images, targets) if self.method.adds_clean_loss else 0.0
        return clean + self.comixup_loss(*self._mixed_outputs(images, F.one_hot(targets, self.recipe.classes).float()))

    def _mixed_outputs(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mix the first images of a batch, whose order is random, and return the logits and targets of all."""
        assert self.method.mix is not None
        count = round(self.method.mixed_share * len(images))
        mixed = self.method.mix(images[:count], targets[:count], self.draws)
        return self(torch.cat([mixed.inputs, images[count:]])), torch.cat([mixed.targets, targets[count:]])

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return SGD with one cycle of the learning rate over the steps of the run, which ends near 0."""
        rate, decay = self.rates.learning_rate, self.rates.weight_decay
        optimizer = torch.optim.SGD(self.parameters(), rate, momentum=_MOMENTUM, nesterov=True, weight_decay=decay)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, cycle_momentum=False)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
