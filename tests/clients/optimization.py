"""Optimizers, schedules, precision, frozen layers and data modules."""

from __future__ import annotations

import copy
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import BaseFinetuning
from torch import Tensor
from torch.nn import functional as F

from tests.clients.base import Client
from tests.clients.data import image_loader
from tests.clients.steps import Base


class Automatic(Base):
    """The plain step."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss


class Scheduled(Automatic):
    """A learning rate that rises and falls during training, updated after each step."""

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-2, total_steps=6)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


class TwoRates(Automatic):
    """Two groups of parameters with their own learning rates, and no weight decay for biases."""

    def configure_optimizers(self) -> Any:
        decayed = [p for p in self.parameters() if p.ndim > 1]
        others = [p for p in self.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0, "lr": 2e-2}]
        return torch.optim.AdamW(groups, lr=5e-3)


class Manual(Base):
    """Manual optimization with one optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer: Any = self.optimizers()
        loss = self.loss(batch)
        optimizer.zero_grad()
        self.manual_backward(loss)
        self.clip_gradients(optimizer, gradient_clip_val=1.0, gradient_clip_algorithm="norm")
        optimizer.step()


def step_manual(module: Any, optimizers: list[Any], clean: Any, mixed: Any, batch_idx: int) -> Tensor:
    [optimizer] = optimizers
    optimizer.zero_grad()
    F.cross_entropy(module(clean[0]), clean[1]).backward()
    loss = F.cross_entropy(module(mixed[0]), mixed[1])
    loss.backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()
    return loss


class Alternating(Base):
    """One optimizer for the body and one for the head, used in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizer: Any = self.optimizers()[batch_idx % 2]  # type: ignore[index]
        self.toggle_optimizer(optimizer)
        loss = self.loss(batch)
        self.manual_backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        self.untoggle_optimizer(optimizer)

    def configure_optimizers(self) -> Any:
        return [
            torch.optim.SGD(self.net[:4].parameters(), lr=0.05),
            torch.optim.Adam(self.net[4:].parameters(), lr=0.01),
        ]


def step_alternating(module: Any, optimizers: list[Any], clean: Any, mixed: Any, batch_idx: int) -> Tensor:
    optimizer = optimizers[batch_idx % 2]
    F.cross_entropy(module(clean[0]), clean[1]).backward()
    loss = F.cross_entropy(module(mixed[0]), mixed[1])
    loss.backward()
    optimizer.step()
    module.zero_grad()
    return loss


class Finetuned(Automatic):
    """The optimizer starts with the parameters that are not frozen."""

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD([p for p in self.parameters() if p.requires_grad], lr=0.05)


class ThawBody(BaseFinetuning):
    """Trains only the head in the first epoch. BatchNorm is frozen too."""

    def freeze_before_training(self, pl_module: Any) -> None:
        self.freeze(pl_module.net[:2], train_bn=False)

    def finetune_function(self, pl_module: Any, epoch: int, optimizer: Any) -> None:
        if epoch == 1:
            self.unfreeze_and_add_param_group(pl_module.net[:1], optimizer, lr=0.01, train_bn=False)


class AverageOfWeights(L.Callback):
    """A moving average of the weights, kept outside the module."""

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.shadow = copy.deepcopy(pl_module.state_dict())

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        for name, value in pl_module.state_dict().items():
            if value.is_floating_point():
                self.shadow[name].lerp_(value, 0.1)


class ImageData(L.LightningDataModule):
    """Loaders, and a transfer hook that scales the images."""

    def train_dataloader(self) -> Any:
        return image_loader()

    def val_dataloader(self) -> Any:
        return image_loader()

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        images, labels = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return images * 0.5, labels


class Validated(Automatic):
    """A classifier with a validation step."""

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch))


_LOSS: dict[str, Any] = {"loss_key": "train_loss"}
_MANUAL: dict[str, Any] = {
    "settings": {"manual_optimization": True},
    "lines": 1,
    "needed": "`manual_optimization=True`",
}
CLIENTS = [
    Client("scheduled", "learning rate scheduled by the step", Scheduled, image_loader, **_LOSS),
    Client("two_rates", "groups of parameters, no decay for biases", TwoRates, image_loader, **_LOSS),
    Client(
        "accumulated",
        "gradients accumulated over two batches, clipped",
        Automatic,
        image_loader,
        trainer={"accumulate_grad_batches": 2, "gradient_clip_val": 0.5},
        **_LOSS,
    ),
    Client(
        "mixed_precision",
        '`precision="bf16-mixed"`',
        Automatic,
        image_loader,
        trainer={"precision": "bf16-mixed"},
        **_LOSS,
    ),
    Client(
        "weight_average",
        "a callback that averages the weights",
        Automatic,
        image_loader,
        callbacks=lambda: [AverageOfWeights()],
        **_LOSS,
    ),
    Client(
        "finetuned",
        "`BaseFinetuning`, BatchNorm frozen",
        Finetuned,
        image_loader,
        callbacks=lambda: [ThawBody()],
        **_LOSS,
    ),
    Client("data_module", "data module with a transfer of its own, validation", Validated, ImageData, **_LOSS),
    Client("manual", "manual optimization", Manual, image_loader, hand_step=step_manual, **_MANUAL),
    Client(
        "manual_default",
        "manual optimization, the callback alone",
        Manual,
        image_loader,
        lines=1,
        refusal="manual_optimization=True",
        needed="if it calls `manual_backward` once per batch, set `manual_optimization=True`",
    ),
    Client(
        "alternating",
        "two optimizers in turn, toggled",
        Alternating,
        image_loader,
        hand_step=step_alternating,
        **_MANUAL,
    ),
]
