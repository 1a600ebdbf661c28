"""Losses that accept class probabilities, and losses written for integers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.clients.base import Client
from tests.clients.data import CLASSES, image_loader, small_backbone, small_network


class LossModule(L.LightningModule):
    """A classifier whose loss is a module passed as an argument."""

    def __init__(self, criterion: nn.Module, lr: float = 0.05) -> None:
        super().__init__()
        self.model, self.criterion, self.lr = small_network(), criterion, lr

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        inputs, labels = batch
        loss: Tensor = self.criterion(self(inputs), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


class ClassWeights(LossModule):
    """Class weights in a buffer, inverse to the class frequencies."""

    class_weights: Tensor

    def __init__(self) -> None:
        super().__init__(nn.Identity())
        self.register_buffer("class_weights", torch.tensor([1.0, 10.0, 0.5, 3.0]))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1], weight=self.class_weights)


class FocalByCrossEntropy(nn.Module):
    """Focal loss computed from each sample's cross-entropy."""

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        losses = F.cross_entropy(logits, labels, reduction="none")
        return ((1 - torch.exp(-losses)) ** self.gamma * losses).mean()


class FocalByGather(nn.Module):
    """Focal loss computed from the probability of each sample's class."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        log_probs = F.log_softmax(logits, dim=-1)
        log_pt = log_probs.gather(1, labels.view(-1, 1)).squeeze(1)
        return (-((1 - log_pt.exp()) ** 2) * log_pt).mean()


class FocalByClass(nn.Module):
    """Focal loss of one class against the rest, class by class."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        total = logits.new_zeros(())
        for label in range(logits.shape[1]):
            is_class = (labels == label).type_as(logits)
            losses = F.binary_cross_entropy_with_logits(logits[:, label], is_class, reduction="none")
            total = total + ((1 - torch.exp(-losses)) ** 2 * losses).mean()
        return total


class SmoothingByGather(nn.Module):
    """Label smoothing as people wrote it before PyTorch had it."""

    def __init__(self, smoothing: float = 0.1) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        log_probs = F.log_softmax(x, dim=-1)
        nll = -log_probs.gather(dim=-1, index=target.unsqueeze(1)).squeeze(1)
        return ((1 - self.smoothing) * nll - self.smoothing * log_probs.mean(dim=-1)).mean()


class ByIndex(nn.Module):
    """Cross-entropy computed by indexing with the labels."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        rows = torch.arange(len(labels), device=labels.device)
        return -F.log_softmax(logits, 1)[rows, labels].mean()


class OneHotBCE(nn.Module):
    """Binary cross-entropy for every class."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, F.one_hot(labels, CLASSES).float())


class MarginModule(LossModule):
    """A head with angular margins: the label decides which cosine gets the margin."""

    def __init__(self, margin: float = 0.2, scale: float = 8.0) -> None:
        super().__init__(nn.CrossEntropyLoss())
        self.backbone = small_backbone()
        self.prototypes = nn.Parameter(torch.randn(CLASSES, 96))
        self.margin, self.scale = margin, scale

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.normalize(self.backbone(x)), F.normalize(self.prototypes))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        cosine = self(x)
        chosen = torch.zeros_like(cosine).scatter_(1, y.view(-1, 1), 1.0)
        loss: Tensor = self.criterion(self.scale * (cosine - self.margin * chosen), y)
        return loss


def make(loss: Callable[[], nn.Module], lr: float = 0.05) -> LossModule:
    return LossModule(loss(), lr)


def trains(name: str, style: str, loss: Callable[[], nn.Module], lr: float = 0.05) -> Client:
    return Client(name, style, partial(make, loss, lr), image_loader, loss_key="train_loss")


def refused(name: str, style: str, loss: Callable[[], nn.Module], needed: str) -> Client:
    return Client(
        name,
        style,
        partial(make, loss),
        image_loader,
        lines=1,
        needed=needed,
        refusal=r"comixup_loss|F\.one_hot",
        names_line=True,
    )


CLIENTS = [
    Client("class_weights", "weights of the classes in a buffer", ClassWeights, image_loader),
    trains("smoothed", "`CrossEntropyLoss(label_smoothing=0.3)`", partial(nn.CrossEntropyLoss, label_smoothing=0.3)),
    trains("summed", '`CrossEntropyLoss(reduction="sum")`', partial(nn.CrossEntropyLoss, reduction="sum"), 0.005),
    trains("focal_by_cross_entropy", 'focal loss from `F.cross_entropy(reduction="none")`', FocalByCrossEntropy),
    refused(
        "focal_by_gather",
        "focal loss by `gather`",
        FocalByGather,
        '`gather` needs integers: use `self.comixup_loss`, or focal terms of `F.cross_entropy(reduction="none")`',
    ),
    refused(
        "focal_by_class",
        "focal loss class by class, `labels == k`",
        FocalByClass,
        "it compares targets with classes: the same",
    ),
    refused(
        "smoothing_by_gather",
        "label smoothing by `gather`",
        SmoothingByGather,
        "`gather` needs integers: use `self.comixup_loss(..., label_smoothing=0.1)`",
    ),
    refused("by_index", "cross-entropy by indexing", ByIndex, "it indexes by labels: use `self.comixup_loss`"),
    refused(
        "one_hot_bce",
        "binary cross-entropy of one-hot labels",
        OneHotBCE,
        '`one_hot` needs integers: use the rows as they are, or `self.comixup_loss(..., "bce")`',
    ),
    refused(
        "multi_margin", "`MultiMarginLoss`", nn.MultiMarginLoss, "it accepts integers only: use `self.comixup_loss`"
    ),
    Client(
        "margin_head",
        "angular margin head, `scatter_` by labels",
        MarginModule,
        image_loader,
        lines=1,
        needed="`scatter_` needs integer labels: with rows, the margin is `self.margin * targets`",
        refusal="(?i)rows|class probabilities",
        names_line=True,
    ),
]
