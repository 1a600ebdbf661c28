"""Forms of `training_step`, hooks around it, and modules created elsewhere."""

from __future__ import annotations

import copy
import sys
from typing import Any
from unittest import mock

import lightning as L
import torch
from lightning.pytorch.cli import LightningCLI
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from tests.clients.base import Client, Score
from tests.clients.data import CLASSES, image_loader, small_network


class Base(L.LightningModule):
    """A classifier. Subclasses differ in their step."""

    def __init__(self) -> None:
        super().__init__()
        self.net: Any = small_network()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def loss(self, batch: Any) -> Tensor:
        x, y = batch
        return F.cross_entropy(self(x), y)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


class WithoutIndex(Base):
    """A step without the index."""

    def training_step(self, batch: Any) -> Tensor:
        return self.loss(batch)


class OtherName(Base):
    """A step with another name for the index."""

    def training_step(self, train_batch: Any, nb_batch: int) -> Tensor:
        loss = self.loss(train_batch)
        self.log("loss", loss)
        return loss


class WithPredictions(Base):
    """A step that returns its predictions for a callback."""

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        logits = self(x)
        return {"loss": F.cross_entropy(logits, y), "preds": logits.detach().argmax(1), "target": y}


class SkipsBatches(Base):
    """A step that skips one of three batches."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        return None if batch_idx == 1 else self.loss(batch)


class Augmenting(Base):
    """Augmentation on the device, in the module's own hook."""

    def __init__(self) -> None:
        super().__init__()
        self.transform = nn.Sequential(nn.ReflectionPad2d(1), nn.AvgPool2d(3, stride=1))

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        x, y = batch
        if self.trainer.training:
            x = self.transform(x)
        return x, y

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.loss(batch)


class StochasticDepth(Base):
    """Dropout, and a residual branch that is dropped at random."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.branch = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.net = nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(384, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        keep = 0.7
        branch = self.branch(x).relu()
        if self.training:
            branch = branch * x.new_empty(len(x), 1, 1, 1).bernoulli_(keep) / keep
        logits: Tensor = self.net(x + branch)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.loss(batch)


class FrozenNorm(Base):
    """BatchNorm always stays in evaluation mode."""

    def train(self, mode: bool = True) -> Any:
        super().train(mode)
        self.net[1].eval()
        return self

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.loss(batch)


class AveragedWeights(Base):
    """A moving average of the weights, updated after every batch."""

    def __init__(self, decay: float = 0.9) -> None:
        super().__init__()
        self.decay = decay
        self.ema = copy.deepcopy(self.net).requires_grad_(False)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.loss(batch)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        with torch.no_grad():
            for average, current in zip(self.ema.parameters(), self.net.parameters(), strict=True):
                average.lerp_(current, 1 - self.decay)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.net.parameters(), lr=0.05)


class ConfiguredClassifier(L.LightningModule):
    """A module created from a configuration file."""

    def __init__(self, hidden: int = 16, lr: float = 0.1, smoothing: float = 0.0) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.mlp = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.GELU(), nn.Linear(hidden, CLASSES))
        self.acc = MulticlassAccuracy(CLASSES, average="micro")

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.mlp(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits = self(x)
        self.acc(logits, y)
        self.log("acc", self.acc, on_step=False, on_epoch=True)
        return F.cross_entropy(logits, y, label_smoothing=self.hparams["smoothing"])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"])


def from_command_line() -> L.LightningModule:
    model = {"hidden": 24, "lr": 0.05, "smoothing": 0.1}
    settings: dict[str, Any] = {"save_config_callback": None, "seed_everything_default": False}
    settings["trainer_defaults"] = {"accelerator": "cpu", "logger": False}
    with mock.patch.object(sys, "argv", ["train.py"]):
        cli = LightningCLI(ConfiguredClassifier, run=False, args={"model": model}, **settings)
    return cli.model


CLIENTS = [
    Client("without_index", "`training_step(self, batch)`", WithoutIndex, image_loader),
    Client("other_name", "`training_step(self, train_batch, nb_batch)`", OtherName, image_loader),
    Client("with_predictions", "the step returns loss, predictions and labels", WithPredictions, image_loader),
    Client("skips_batches", "the step returns None for some batches", SkipsBatches, image_loader),
    Client("augmenting", "augmentation in the module's `on_after_batch_transfer`", Augmenting, image_loader),
    Client("stochastic_depth", "dropout and stochastic depth", StochasticDepth, image_loader),
    Client("frozen_norm", "BatchNorm kept in evaluation mode by `train()`", FrozenNorm, image_loader),
    Client("averaged_weights", "moving average of the weights in `on_train_batch_end`", AveragedWeights, image_loader),
    Client(
        "command_line",
        "module made by `LightningCLI`, label smoothing",
        from_command_line,
        image_loader,
        scores=(Score("acc", "acc"),),
    ),
]
