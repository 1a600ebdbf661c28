"""Image classifiers with batches [images, labels]."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Accuracy, MaxMetric, MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from tests.clients.base import Client, Score
from tests.clients.data import CLASSES, image_loader, small_backbone, small_network


class TemplateModule(L.LightningModule):
    """A project template: network and optimizer come from the configuration, and all stages share one step."""

    def __init__(self, net: nn.Module, optimizer: Callable[..., Any], compile: bool = False) -> None:
        super().__init__()
        self.net, self.optimizer, self.compiles = net, optimizer, compile
        self.criterion = nn.CrossEntropyLoss()
        self.train_acc = Accuracy(task="multiclass", num_classes=CLASSES)
        self.val_acc = Accuracy(task="multiclass", num_classes=CLASSES)
        self.train_loss, self.val_loss = MeanMetric(), MeanMetric()
        self.val_acc_best = MaxMetric()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def on_train_start(self) -> None:
        self.val_loss.reset()
        self.val_acc.reset()
        self.val_acc_best.reset()

    def model_step(self, batch: Any) -> tuple[Tensor, Tensor, Tensor]:
        x, y = batch
        logits = self.forward(x)
        return self.criterion(logits, y), torch.argmax(logits, dim=1), y

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss, preds, targets = self.model_step(batch)
        self.train_loss(loss)
        self.train_acc(preds, targets)
        self.log("train/loss", self.train_loss, on_step=False, on_epoch=True, prog_bar=True)
        self.log("train/acc", self.train_acc, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        loss, preds, targets = self.model_step(batch)
        self.val_loss(loss)
        self.val_acc(preds, targets)
        self.log("val/loss", self.val_loss, on_step=False, on_epoch=True)
        self.log("val/acc", self.val_acc, on_step=False, on_epoch=True)

    def on_validation_epoch_end(self) -> None:
        self.val_acc_best(self.val_acc.compute())
        self.log("val/acc_best", self.val_acc_best.compute(), sync_dist=True)

    def setup(self, stage: str) -> None:
        if self.compiles and stage == "fit":
            self.net = torch.compile(self.net, backend="aot_eager")  # type: ignore[assignment]

    def configure_optimizers(self) -> Any:
        return {"optimizer": self.optimizer(params=self.parameters())}


def make_template(compile: bool = False) -> TemplateModule:
    return TemplateModule(small_network(), partial(torch.optim.Adam, lr=1e-2, weight_decay=1e-4), compile)


class TutorialMNIST(L.LightningModule):
    """The first example of many tutorials: a linear layer on pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.layer_1 = nn.Linear(64, 32)
        self.layer_2 = nn.Linear(32, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.layer_1(x.view(x.size(0), -1)))
        logits: Tensor = self.layer_2(hidden)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=0.02)


class LogSoftmaxMNIST(TutorialMNIST):
    """An older tutorial: `forward` ends with a log-softmax, and the loss expects log-probabilities."""

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(super().forward(x), dim=1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        return F.nll_loss(self(x), y)


class LogSoftmaxTwice(LogSoftmaxMNIST):
    """The same with a loss for logits, which gives the same value."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        return F.cross_entropy(self(x), y)


class UncertaintyRoutine(L.LightningModule):
    """A library's routine: a model, a loss object, a function that formats batches, and metrics with a prefix."""

    def __init__(self, model: nn.Module, loss: nn.Module, format_batch_fn: nn.Module | None = None) -> None:
        super().__init__()
        self.model, self.loss = model, loss
        self.format_batch_fn = nn.Identity() if format_batch_fn is None else format_batch_fn
        metrics = MetricCollection({"acc": MulticlassAccuracy(CLASSES, average="micro")})
        self.val_metrics = metrics.clone(prefix="val/")
        self.train_metrics = metrics.clone(prefix="train/")

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.model(inputs)
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, target = self.format_batch_fn(batch)
        logits = self.forward(inputs)
        loss: Tensor = self.loss(logits, target)
        self.train_metrics.update(logits, target)
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, logger=True)
        self.log_dict(self.train_metrics, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        inputs, targets = batch
        probs = self.forward(inputs).softmax(dim=-1)
        self.val_metrics.update(probs, targets)

    def on_validation_epoch_end(self) -> None:
        self.log_dict(self.val_metrics.compute())
        self.val_metrics.reset()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, nesterov=True)


class TimmStyle(L.LightningModule):
    """A network with `forward_features` and `forward_head`, label smoothing, and dropout before the head."""

    def __init__(self, smoothing: float = 0.1, drop_rate: float = 0.2) -> None:
        super().__init__()
        self.backbone = small_backbone()
        self.head_drop = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(96, CLASSES)
        self.train_loss_fn = nn.CrossEntropyLoss(label_smoothing=smoothing)
        self.top1 = MulticlassAccuracy(CLASSES, average="micro")

    def forward_features(self, x: Tensor) -> Tensor:
        features: Tensor = self.backbone(x)
        return features

    def forward_head(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.head_drop(x))
        return logits

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, target = batch
        output = self(images)
        loss: Tensor = self.train_loss_fn(output, target)
        self.log("train/top1", self.top1(output, target), on_step=False, on_epoch=True, batch_size=images.size(0))
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=images.size(0))
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=5e-3, weight_decay=0.05)


CLIENTS = [
    Client(
        "template",
        "project template: one step for all stages, metrics of loss and accuracy",
        make_template,
        image_loader,
        scores=(Score("train/acc", "train_acc"),),
        loss_key="train/loss",
    ),
    Client(
        "template_compiled",
        "project template with `torch.compile` of the network",
        partial(make_template, compile=True),
        image_loader,
        scores=(Score("train/acc", "train_acc"),),
        loss_key="train/loss",
        tolerance=1e-6,
    ),
    Client(
        "tutorial",
        "tutorial: `F.cross_entropy` and `self.log`",
        TutorialMNIST,
        image_loader,
        loss_key="train_loss_epoch",
    ),
    Client(
        "log_softmax",
        "tutorial: log-softmax in `forward`, `F.nll_loss`",
        LogSoftmaxMNIST,
        image_loader,
        lines=1,
        refusal="cross_entropy|comixup_loss",
        names_line=True,
        needed="`F.nll_loss` does not accept rows: use `self.comixup_loss` or `F.cross_entropy`, on the same values",
    ),
    Client("log_softmax_twice", "log-softmax in `forward`, `F.cross_entropy`", LogSoftmaxTwice, image_loader),
    Client(
        "uncertainty_routine",
        "library routine: loss object, `MetricCollection` with a prefix, no `batch_idx`",
        lambda: UncertaintyRoutine(small_network(), nn.CrossEntropyLoss()),
        image_loader,
        scores=(Score("train/acc", "train_metrics"),),
        loss_key="train_loss",
    ),
    Client(
        "timm_style",
        "label smoothing, dropout, metric logged as a value",
        TimmStyle,
        image_loader,
        scores=(Score("train/top1", "top1"),),
        loss_key="train/loss",
    ),
]
