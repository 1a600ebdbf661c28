"""Views, frozen features and online heads, in the style of self-supervised libraries."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from tests.clients.base import Client, Score
from tests.clients.data import CLASSES, image_loader, make_images, make_loader, small_backbone


class LinearClassifier(L.LightningModule):
    """A linear classifier on a backbone that may be frozen."""

    def __init__(self, backbone: nn.Module, freeze_model: bool) -> None:
        super().__init__()
        self.model, self.freeze_model = backbone, freeze_model
        self.classification_head = nn.Linear(96, CLASSES)
        self.criterion = nn.CrossEntropyLoss()
        self.top1 = MulticlassAccuracy(CLASSES, average="micro")

    def forward(self, images: Tensor) -> Tensor:
        if self.freeze_model:
            with torch.no_grad():
                features = self.model(images).flatten(start_dim=1)
        else:
            features = self.model(images).flatten(start_dim=1)
        logits: Tensor = self.classification_head(features)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, targets = batch[0], batch[1]
        predictions = self.forward(images)
        loss: Tensor = self.criterion(predictions, targets)
        self.top1(predictions, targets)
        self.log("train_loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(targets))
        self.log("train_top1", self.top1, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        parameters = list(self.classification_head.parameters())
        if not self.freeze_model:
            parameters += self.model.parameters()
        optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.0)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2)]


class OnlineHead(L.LightningModule):
    """An autoencoder with a classifier on its detached features, which measures their quality."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.decoder = small_backbone(), nn.Linear(96, 64)
        self.online_classifier = nn.Linear(96, CLASSES)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, targets = batch
        features = self.backbone(images)
        reconstruction = F.mse_loss(self.decoder(features), images.flatten(1))
        cls_loss = F.cross_entropy(self.online_classifier(features.detach()), targets)
        self.log_dict({"ssl_loss": reconstruction, "cls_loss": cls_loss})
        return reconstruction + cls_loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


class TwoViews(L.LightningModule):
    """Contrastive learning from two views of each image, with an online classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.projection_head = small_backbone(), nn.Linear(96, 16)
        self.online_classifier = nn.Linear(96, CLASSES)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        (view0, view1), targets, _ = batch
        features = self.backbone(torch.cat([view0, view1]))
        z0, z1 = F.normalize(self.projection_head(features)).chunk(2)
        partners = torch.arange(len(z0), device=z0.device)
        cls_loss = F.cross_entropy(self.online_classifier(features.detach()), torch.cat([targets, targets]))
        return F.cross_entropy(z0 @ z1.t() / 0.2, partners) + cls_loss

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.05)


def views() -> Any:
    images, labels = make_images()
    return make_loader(lambda index: ((images[index], images[index].flip(-1)), labels[index], f"{index}.png"))


def named_images() -> Any:
    images, labels = make_images()
    return make_loader(lambda index: (images[index], labels[index], f"{index}.png"))


CLIENTS = [
    Client(
        "linear_finetuned",
        "linear classifier, backbone trained too, batch with file names",
        lambda: LinearClassifier(small_backbone(), False),
        named_images,
        scores=(Score("train_top1", "top1"),),
        loss_key="train_loss",
    ),
    Client(
        "linear_frozen",
        "linear classifier on features under `torch.no_grad`",
        lambda: LinearClassifier(small_backbone(), True),
        named_images,
        lines=1,
        refusal="(?s)(?=.*inputs?)(?=.*(saliency|no_grad|detach))",
        needed="no gradient reaches the inputs: leave `no_grad` out (the optimizer has only the head), or pass "
        "`saliency=`",
    ),
    Client(
        "online_head",
        "autoencoder with a classifier on its detached features",
        OnlineHead,
        image_loader,
        needed="the saliency comes from the reconstruction loss",
    ),
    Client(
        "two_views",
        "contrastive learning of `((view0, view1), label, file)`",
        TwoViews,
        views,
        lines=2,
        refusal="input_key",
        needed="there are two views, and contrastive losses do not use labels",
    ),
]
