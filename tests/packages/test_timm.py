"""Models and losses of timm in a plain module."""

from __future__ import annotations

import re
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn

from lightning_comixup import CoMixupMixin
from tests.clients.base import Client
from tests.clients.data import CLASSES, make_images, make_loader
from tests.packages.checking import LINE, refusal, train_as_by_hand

timm = pytest.importorskip("timm")
timm_data = pytest.importorskip("timm.data")
losses = pytest.importorskip("timm.loss")


class Lit(L.LightningModule):
    """A model chosen by name, with any loss."""

    def __init__(self, name: str, criterion: nn.Module, **settings: Any) -> None:
        super().__init__()
        self.model = timm.create_model(name, pretrained=False, num_classes=CLASSES, **settings)
        self.criterion = criterion

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x)
        return logits

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        loss: Tensor = self.criterion(logits, y)
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = self.loss(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


class LossBySample(CoMixupMixin, Lit):
    """A loss for integers, computed for each class that a sample contains."""

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        def per_sample(logits: Tensor, y: Tensor) -> Tensor:
            return torch.stack([self.criterion(row[None], label[None]) for row, label in zip(logits, y, strict=True)])

        return self.comixup_loss(logits, y, loss_fn=per_sample)


class LossOfRows(Lit):
    """A loss on rows, used for both labels and rows."""

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        loss: Tensor = self.criterion(logits, nn.functional.one_hot(y, CLASSES).float() if y.ndim == 1 else y)
        return loss


class MixingLit(Lit):
    """MixUp in the step itself."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return super().training_step(timm_data.Mixup(num_classes=CLASSES)(*batch), batch_idx)


SIZES: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2}
VIT: dict[str, Any] = {"name": "vit_tiny_patch16_224", "drop_path_rate": 0.2, **SIZES}
RESNET: dict[str, Any] = {"name": "test_resnet", "drop_path_rate": 0.2}


def make_client(module: type[Lit], criterion: Any, network: dict[str, Any]) -> Client:
    side = 32 if network is VIT else 16
    return Client(
        name="timm",
        style="",
        make_module=lambda: module(criterion=criterion(), **network),
        make_loader=lambda: make_loader(make_images(channels=3, side=side)),
        loss_key="train_loss",
    )


@pytest.mark.parametrize("network", [VIT, RESNET], ids=["vit", "resnet"])
def test_a_model_with_drop_path_trains_unchanged(network: dict[str, Any]) -> None:
    train_as_by_hand(make_client(Lit, nn.CrossEntropyLoss, network))


def test_a_smoothed_loss_of_integers_is_refused() -> None:
    text = refusal(make_client(Lit, losses.LabelSmoothingCrossEntropy, VIT))
    assert re.search(
        r"must not be an index, found gather at \S+test_timm\.py:\d+ \(through \S+timm/loss/cross_entropy\.py:\d+\)",
        text,
    )
    assert "comixup_loss(logits, targets, loss_fn=...)" in text
    assert re.search(LINE, text)


def test_a_smoothed_loss_of_integers_trains_through_the_mixin() -> None:
    train_as_by_hand(make_client(LossBySample, losses.LabelSmoothingCrossEntropy, VIT))


@pytest.mark.parametrize("settings", [{"smoothing": 0.0}, {"smoothing": 0.0, "target_threshold": 0.2}], ids=str)
def test_its_binary_loss_of_labels_and_rows_trains_unchanged(settings: dict[str, Any]) -> None:
    train_as_by_hand(make_client(Lit, lambda: losses.BinaryCrossEntropy(**settings), VIT))


def test_its_binary_loss_smooths_integers_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        train_as_by_hand(make_client(Lit, losses.BinaryCrossEntropy, VIT))
    assert sum("the loss smooths integer targets" in record.getMessage() for record in caplog.records) == 1


def test_a_loss_that_casts_to_integers_is_refused() -> None:
    text = refusal(make_client(Lit, losses.AsymmetricLossSingleLabel, VIT))
    assert re.search(
        r"found a cast to integers at \S+ \(through \S+asymmetric_loss\.py:\d+\), whose result is used at", text
    )
    assert "targets.is_floating_point()" in text


def test_its_own_mixup_in_a_step_is_refused() -> None:
    text = refusal(make_client(MixingLit, nn.CrossEntropyLoss, VIT))
    assert re.search(
        r"found a cast to integers at \S+ \(through \S+timm/data/mixup\.py:\d+\), whose result is used at", text
    )
    assert "remove the mixing of your own" in text


def test_a_loss_of_rows_trains_on_rows() -> None:
    train_as_by_hand(make_client(LossOfRows, losses.SoftTargetCrossEntropy, VIT))
