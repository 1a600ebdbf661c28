"""Samples in dictionaries, in the style of geospatial and medical libraries."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MultilabelAccuracy

from tests.clients.base import Client, Score
from tests.clients.data import CLASSES, SIZE, make_images, make_labels, make_loader, make_tags, small_network
from tests.clients.losses import FocalByClass
from tests.clients.scores import binary_accuracy, macro_accuracy


class SceneTask(L.LightningModule):
    """A geospatial library's task: loss chosen by name, micro and macro accuracy, augmentation on the device."""

    def __init__(self, loss: str = "ce", num_classes: int = CLASSES, in_channels: int = 3, lr: float = 5e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = small_network(in_channels, num_classes)
        self.configure_losses(loss)
        self.configure_metrics(num_classes)

    def configure_losses(self, name: str) -> None:
        criteria: dict[str, Any] = {"ce": nn.CrossEntropyLoss, "bce": nn.BCEWithLogitsLoss, "focal": FocalByClass}
        if name not in criteria:
            raise ValueError(f"unknown loss {name}")
        self.criterion: nn.Module = criteria[name](**({"ignore_index": -1000} if name == "ce" else {}))

    def configure_metrics(self, classes: int) -> None:
        parts = {
            "OverallAccuracy": MulticlassAccuracy(classes, average="micro"),
            "AverageAccuracy": MulticlassAccuracy(classes, average="macro"),
        }
        self.train_metrics = MetricCollection(parts, prefix="train_")  # type: ignore[arg-type]
        self.val_metrics = self.train_metrics.clone(prefix="val_")

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        for unused in ("crs", "bbox"):
            batch.pop(unused, None)
        if self.trainer.training:
            batch["image"] = (batch["image"] - 0.2) / 0.8
        return batch

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch["image"], batch["label"]
        y_hat = self(x)
        loss: Tensor = self.criterion(y_hat, y)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=x.shape[0])
        self.train_metrics(y_hat, y)
        self.log_dict(self.train_metrics, on_step=False, on_epoch=True, batch_size=x.shape[0])
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.val_metrics(self(batch["image"]), batch["label"])
        self.log_dict(self.val_metrics, batch_size=batch["image"].shape[0])

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"])
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss"}}


class SceneTags(SceneTask):
    """Several labels for each scene, as integers 0 and 1."""

    def __init__(self) -> None:
        super().__init__(loss="bce")

    def configure_metrics(self, classes: int) -> None:
        self.train_metrics = MetricCollection([MultilabelAccuracy(classes, average="micro")], prefix="train_")
        self.val_metrics = self.train_metrics.clone(prefix="val_")

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch["image"], batch["label"]
        y_hat = self(x)
        loss: Tensor = self.criterion(y_hat, y.to(torch.float))
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.train_metrics(torch.sigmoid(y_hat), y)
        self.log_dict(self.train_metrics, on_step=False, on_epoch=True)
        return loss


class VolumeClassifier(L.LightningModule):
    """A classifier of scans, with a metric for the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv3d(1, 4, 3, padding=1), nn.InstanceNorm3d(4, affine=True), nn.PReLU(), nn.AvgPool3d(4),
            nn.Flatten(), nn.Linear(32, 2),
        )  # fmt: skip
        self.loss_function = nn.CrossEntropyLoss()
        self.epoch_loss = MeanMetric()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        images, labels = batch["image"], batch["label"]
        loss = self.loss_function(self.forward(images), labels)
        self.epoch_loss.update(loss.detach())
        return {"loss": loss}

    def on_train_epoch_end(self) -> None:
        self.log("train_loss", self.epoch_loss.compute())
        self.epoch_loss.reset()

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def scenes(labels: Tensor) -> Any:
    images = make_images(channels=3)[0]
    corners = torch.arange(4.0)

    def scene(index: int) -> dict[str, Any]:
        return {"crs": "EPSG:32632", "bbox": corners + index, "image": images[index], "label": labels[index]}

    return make_loader(scene)


def volumes() -> Any:
    labels = make_labels(2)
    scans = torch.randn(SIZE, 1, 8, 8, 8, generator=torch.Generator().manual_seed(6))
    scans[:, :, :4] += labels.view(-1, 1, 1, 1, 1)

    def scan(index: int) -> dict[str, Any]:
        return {
            "image": scans[index],
            "label": labels[index],
            "path": f"scan_{index}.nii.gz",
            "spacing": [1.0, 1.0, 2.5],
        }

    return make_loader(scan)


_KEYS: dict[str, Any] = {"inputs": itemgetter("image"), "targets": itemgetter("label")}
CLIENTS = [
    Client(
        "scene_task",
        "geospatial task: dictionary, `on_after_batch_transfer`, averages of the accuracy",
        SceneTask,
        lambda: scenes(make_labels()),
        loss_key="train_loss",
        **_KEYS,
        scores=(
            Score("train_OverallAccuracy", "train_metrics"),
            Score("train_AverageAccuracy", "train_metrics", macro_accuracy),
        ),
    ),
    Client(
        "scene_task_focal",
        "geospatial task with a focal loss class by class",
        lambda: SceneTask("focal"),
        lambda: scenes(make_labels()),
        lines=1,
        refusal="comixup_loss",
        names_line=True,
        needed='its loss compares targets with classes: use `loss="ce"` or a focal loss for rows',
    ),
    Client(
        "scene_tags",
        "geospatial task with several labels, integers of 0 and 1",
        SceneTags,
        lambda: scenes(make_tags()),
        loss_key="train_loss",
        scores=(Score("train_MultilabelAccuracy", "train_metrics", binary_accuracy),),
        **_KEYS,
    ),
    Client(
        "volumes",
        "medical volumes (B, 1, D, H, W), dictionary",
        VolumeClassifier,
        volumes,
        loss_key="train_loss",
        **_KEYS,
    ),
]
