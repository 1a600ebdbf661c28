"""Single logits, several labels for each image, columns of labels, and regression."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanAbsoluteError
from torchmetrics.classification import BinaryAccuracy

from tests.clients.base import Client, Score
from tests.clients.data import CLASSES, make_images, make_labels, make_loader, make_tags, small_network
from tests.clients.scores import binary_accuracy


class OutputModule(L.LightningModule):
    """A network with a given number of outputs. Subclasses add the loss."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.net = small_network(classes=outputs)
        self.lr = 0.005

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.net(x)
        return output

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


class BinaryInteger(OutputModule):
    """One logit for integer labels."""

    def __init__(self) -> None:
        super().__init__()
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0))
        self.acc = BinaryAccuracy()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logit = self(x).squeeze(1)
        loss: Tensor = self.criterion(logit, y.float())
        self.acc(logit.sigmoid(), y)
        self.log_dict({"train_loss": loss, "train_acc": self.acc}, on_step=False, on_epoch=True)
        return loss


class BinaryCast(OutputModule):
    """The same, with labels cast to integers for the metric."""

    def __init__(self) -> None:
        super().__init__()
        self.acc = BinaryAccuracy()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logit = self(x).squeeze(1)
        self.acc(logit, y.int())
        self.log("train_acc", self.acc, on_step=False, on_epoch=True)
        return F.binary_cross_entropy_with_logits(logit, y.float())


class BinaryColumn(OutputModule):
    """Floating-point probabilities and labels, both (B, 1)."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.binary_cross_entropy(torch.sigmoid(self(x)), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss


class ClassColumn(OutputModule):
    """Integer labels in a column (B, 1)."""

    def __init__(self) -> None:
        super().__init__(CLASSES)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        return F.cross_entropy(self(x), y.squeeze(1))


class ClassColumnCast(ClassColumn):
    """The same with a cast, in case the labels are of another type."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        return F.cross_entropy(self(x), y.squeeze().long())


class Tags(OutputModule):
    """Several labels for each image, in floating point."""

    def __init__(self) -> None:
        super().__init__(CLASSES)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, tags = batch
        return F.multilabel_soft_margin_loss(self(images), tags)


class TagsByBCE(Tags):
    """The same with binary cross-entropy."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, tags = batch
        return F.binary_cross_entropy_with_logits(self(images), tags, pos_weight=torch.full((CLASSES,), 1.5))


class Regression(OutputModule):
    """Regression of one number, (B,)."""

    def __init__(self) -> None:
        super().__init__()
        self.mae = MeanAbsoluteError()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        predicted = self(x).squeeze(-1)
        loss = F.mse_loss(predicted, y)
        self.mae(predicted, y)
        self.log("train_mse", loss, on_step=False, on_epoch=True)
        self.log("train_mae", self.mae, on_step=False, on_epoch=True)
        return loss


class Coordinates(OutputModule):
    """Regression of two numbers, (B, 2), with a robust loss."""

    def __init__(self, robust: bool) -> None:
        super().__init__(2)
        self.criterion: nn.Module = nn.SmoothL1Loss() if robust else nn.MSELoss()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss: Tensor = self.criterion(self(batch[0]), batch[1])
        return loss


def images_with(targets: Tensor) -> Any:
    return make_loader((make_images()[0], targets))


def mean_absolute_error(predictions: Tensor, targets: Tensor) -> Tensor:
    return (predictions - targets).double().abs().mean()


def numbers(*columns: int) -> Tensor:
    return torch.randn(30, *columns, generator=torch.Generator().manual_seed(8)) + make_labels().view(
        -1, *[1] * len(columns)
    )


CLIENTS = [
    Client(
        "binary",
        "one logit, integer labels, `y.float()`",
        BinaryInteger,
        lambda: images_with(make_labels(2)),
        scores=(Score("train_acc", "acc", binary_accuracy),),
        loss_key="train_loss",
    ),
    Client(
        "binary_cast",
        "one logit, `y.int()` for the metric",
        BinaryCast,
        lambda: images_with(make_labels(2)),
        scores=(Score("train_acc", "acc", binary_accuracy),),
    ),
    Client(
        "binary_column",
        "probabilities and labels (B, 1), floating",
        BinaryColumn,
        lambda: images_with(make_labels(2).float().unsqueeze(1)),
        loss_key="train_loss",
    ),
    Client(
        "class_column",
        "integer labels (B, 1), `y.squeeze(1)`",
        ClassColumn,
        lambda: images_with(make_labels().unsqueeze(1)),
    ),
    Client(
        "class_column_cast",
        "integer labels (B, 1), `y.squeeze().long()`",
        ClassColumnCast,
        lambda: images_with(make_labels().unsqueeze(1)),
        lines=1,
        needed="`.long()` cuts 0.9 to 0: leave it out",
        refusal=r"(?i)integer|long",
        names_line=True,
    ),
    Client("tags", "several labels, `multilabel_soft_margin_loss`", Tags, lambda: images_with(make_tags().float())),
    Client(
        "tags_by_bce", "several labels, floating, `pos_weight`", TagsByBCE, lambda: images_with(make_tags().float())
    ),
    Client(
        "regression",
        "one number (B,), `F.mse_loss`",
        Regression,
        lambda: images_with(numbers()),
        scores=(Score("train_mae", "mae", mean_absolute_error),),
        loss_key="train_mse",
    ),
    Client("coordinates", "two numbers (B, 2), `MSELoss`", lambda: Coordinates(False), lambda: images_with(numbers(2))),
    Client(
        "coordinates_robust",
        "two numbers (B, 2), `SmoothL1Loss`",
        lambda: Coordinates(True),
        lambda: images_with(numbers(2)),
    ),
]
