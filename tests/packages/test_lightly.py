"""The classifiers of lightly's benchmarks, which are modules of the package `pytorch_lightning`."""

from __future__ import annotations

import re
from typing import Any

import pytest
import pytorch_lightning
import torch
from torch import Tensor

from tests.clients.base import Client
from tests.clients.data import CLASSES, make_images, make_loader, small_backbone
from tests.packages.checking import refusal, train_as_by_hand

benchmarking = pytest.importorskip("lightly.utils.benchmarking")
heads = pytest.importorskip("lightly.models.modules.heads")
FinetuneBase: Any = benchmarking.FinetuneClassifier
LinearBase: Any = benchmarking.LinearClassifier
SIZES: dict[str, Any] = {"batch_size_per_device": 10, "feature_dim": 96, "num_classes": CLASSES, "topk": (1, 2)}


class Plain:
    """Adds an optimizer that does not need a Trainer."""

    def configure_optimizers(self) -> Any:
        parameters: Any = self.get_trainable_parameters()  # type: ignore[attr-defined]
        return torch.optim.SGD(list(parameters), lr=0.05, momentum=0.9)


class Finetune(Plain, FinetuneBase):  # type: ignore[misc]
    """Trains the whole network."""


class Linear(Plain, LinearBase):  # type: ignore[misc]
    """Trains only the head."""


def _loss_alone(self: Any, batch: Any, batch_idx: int) -> Tensor:
    """Run the classifier's step without its comparison of classes."""
    images, targets = batch
    loss: Tensor = self.criterion(self(images), targets)
    self.log("train_loss", loss, on_step=False, on_epoch=True)
    return loss


class FinetuneLossAlone(Finetune):
    training_step = _loss_alone


class LinearLossAlone(Linear):
    training_step = _loss_alone


class LinearKNN(Plain, pytorch_lightning.LightningModule):
    """A projection head and a linear head, on features with a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = small_backbone(3)
        self.projection_head = heads.SimCLRProjectionHead(96, 32, 16)
        self.head = torch.nn.Linear(16, CLASSES)

    def get_trainable_parameters(self) -> Any:
        return self.parameters()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, targets = batch
        loss = torch.nn.functional.cross_entropy(self.head(self.projection_head(self.backbone(images))), targets)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss


def make_client(make_module: Any, loss_key: str | None = None, **settings: Any) -> Client:
    return Client(
        name="lightly",
        style="",
        make_module=make_module,
        make_loader=lambda: make_loader(make_images(channels=3)),
        settings=settings,
        trainer_class=pytorch_lightning.Trainer,
        loss_key=loss_key,
    )


def test_its_accuracy_compares_with_integers_and_is_refused() -> None:
    text = refusal(make_client(lambda: Finetune(small_backbone(3), **SIZES)))
    rule = "must not be compared with integers"
    assert re.search(rf"{rule}, found eq at \S+ \(through \S+lightly/utils/benchmarking/topk\.py:\d+\)", text)


def test_fine_tuning_trains_without_that_accuracy() -> None:
    train_as_by_hand(make_client(lambda: FinetuneLossAlone(small_backbone(3), **SIZES), "train_loss"))


def test_features_without_a_gradient_are_refused() -> None:
    text = refusal(make_client(lambda: LinearLossAlone(small_backbone(3), **SIZES)))
    assert "CoMixup(saliency=...)" in text


def test_features_without_a_gradient_train_with_a_custom_saliency() -> None:
    def mean_square(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        return inputs.square().mean(1)

    train_as_by_hand(
        make_client(lambda: LinearLossAlone(small_backbone(3), **SIZES), "train_loss", saliency=mean_square)
    )


def test_its_heads_train_unchanged() -> None:
    train_as_by_hand(make_client(LinearKNN, "train_loss"))
