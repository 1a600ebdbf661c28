"""Networks, losses and tensors of MONAI: batches of `MetaTensor`, a class of tensors that carry metadata."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from lightning_comixup import CoMixupMixin
from tests.clients.base import Client
from tests.clients.data import CLASSES, SIZE, make_labels, make_tags
from tests.clients.record import train
from tests.packages.checking import LINE, check_metrics, refusal, train_as_by_hand

nets = pytest.importorskip("monai.networks.nets")
losses = pytest.importorskip("monai.losses")
data = pytest.importorskip("monai.data")
transforms = pytest.importorskip("monai.transforms")


class Classifier(L.LightningModule):
    """A network for volumes, with any loss."""

    def __init__(self, criterion: nn.Module, classes: int = CLASSES) -> None:
        super().__init__()
        sizes: dict[str, Any] = {"init_features": 4, "growth_rate": 4, "block_config": (1, 1), "bn_size": 2}
        self.net = nets.DenseNet(spatial_dims=3, in_channels=1, out_channels=classes, dropout_prob=0.1, **sizes)
        self.criterion = criterion

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        loss: Tensor = self.criterion(logits, y)
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        logits = self(batch["image"])
        loss = self.loss(logits, batch["label"])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-2)


class MeasuredClassifier(Classifier):
    """The same with metrics that use the labels."""

    def __init__(self, criterion: nn.Module) -> None:
        super().__init__(criterion)
        self.metrics = MetricCollection([MulticlassAccuracy(CLASSES), MulticlassF1Score(CLASSES)], prefix="train_")

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        self.metrics.update(logits, y)
        return super().loss(logits, y)

    def on_train_epoch_end(self) -> None:
        self.log_dict(self.metrics.compute())
        self.metrics.reset()


class ComparingClassifier(Classifier):
    """The same with an accuracy written by hand."""

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        self.log("accuracy", (logits.argmax(1) == y).float().mean())
        return super().loss(logits, y)


class Transformer(Classifier):
    """A vision transformer that also returns its hidden states."""

    def __init__(self, criterion: nn.Module) -> None:
        super().__init__(criterion)
        sizes: dict[str, Any] = {"hidden_size": 24, "mlp_dim": 32, "num_layers": 2, "num_heads": 2}
        self.net = nets.ViT(
            1, (8, 8, 8), (4, 4, 4), **sizes, classification=True, num_classes=CLASSES, dropout_rate=0.1
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)[0]
        return logits


class ClassifierOfRows(Classifier):
    """A loss on rows (B, K), used for both labels and rows."""

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        loss: Tensor = self.criterion(logits, nn.functional.one_hot(y, CLASSES).float() if y.ndim == 1 else y)
        return loss


class ClassifierByClass(CoMixupMixin, Classifier):
    """A loss for integers, computed for each class that a sample contains."""

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        return self.comixup_loss(logits, y, loss_fn=lambda logits, y: self.criterion(logits, y[:, None]).mean(1))


def make_loader(labels: Tensor, *, meta_labels: bool = False) -> Any:
    """Return a loader of volumes (1, 8, 8, 8) as `MetaTensor`, with MONAI's dictionary transforms and data set."""
    volumes = 0.3 * torch.randn(SIZE, 1, 8, 8, 8, generator=torch.Generator().manual_seed(6))
    first = labels if labels.ndim == 1 else labels[:, 0]
    volumes += first.view(-1, 1, 1, 1, 1) * torch.linspace(0, 1, 8)
    items = [
        {
            "image": data.MetaTensor(volumes[index], affine=torch.eye(4)),
            "label": data.MetaTensor(labels[index]) if meta_labels else labels[index],
        }
        for index in range(SIZE)
    ]
    pipeline = transforms.Compose([transforms.NormalizeIntensityd(keys="image")])
    return data.DataLoader(
        data.Dataset(items, pipeline), batch_size=10, num_workers=0, generator=torch.Generator().manual_seed(5)
    )


def make_client(
    module: type[Classifier],
    labels: Tensor | None = None,
    criterion: nn.Module | None = None,
    *,
    meta_labels: bool = False,
    **settings: Any,
) -> Client:
    return Client(
        name="monai",
        style="",
        make_module=lambda: module(nn.CrossEntropyLoss() if criterion is None else criterion),
        make_loader=lambda: make_loader(make_labels() if labels is None else labels, meta_labels=meta_labels),
        settings=settings,
        inputs=itemgetter("image"),
        targets=itemgetter("label"),
        loss_key="train_loss",
    )


META_OR_NOT = pytest.mark.parametrize("meta_labels", [False, True], ids=["labels", "meta labels"])


@META_OR_NOT
def test_volumes_train_unchanged(meta_labels: bool) -> None:
    run, _ = train_as_by_hand(make_client(Classifier, meta_labels=meta_labels))
    for step in run.steps:
        assert type(step.mixed["image"]) is data.MetaTensor
        assert step.mixed["image"].meta.keys() == step.clean["image"].meta.keys()


@META_OR_NOT
def test_several_labels_train_unchanged(meta_labels: bool) -> None:
    train_as_by_hand(make_client(Classifier, make_tags().float(), nn.BCEWithLogitsLoss(), meta_labels=meta_labels))


@META_OR_NOT
def test_metrics_see_the_clean_batches(meta_labels: bool) -> None:
    client = make_client(MeasuredClassifier, meta_labels=meta_labels)
    run, replay = train_as_by_hand(client)
    check_metrics(run, replay, "metrics", whole_epoch=True)


@META_OR_NOT
def test_metrics_see_dominant_classes_without_a_clean_batch(meta_labels: bool) -> None:
    def mean_square(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        return inputs.square().mean(1)

    settings: dict[str, Any] = {"clean_weight": 0, "saliency": mean_square, "num_classes": CLASSES}
    run = train(make_client(MeasuredClassifier, meta_labels=meta_labels, **settings))
    assert run.error is None
    assert sum("training metrics now measure mixed batches" in text for text in run.said) == 1


@META_OR_NOT
def test_a_comparison_with_classes_is_refused(meta_labels: bool) -> None:
    text = refusal(make_client(ComparingClassifier, meta_labels=meta_labels))
    assert re.search(r"must not be compared with integers, found == at \S+test_monai\.py:\d+", text)


def focal_loss(**settings: Any) -> nn.Module:
    loss: nn.Module = losses.FocalLoss(use_softmax=True, **settings)
    return loss


def test_a_focal_loss_of_integers_is_refused() -> None:
    text = refusal(make_client(Classifier, make_labels()[:, None], focal_loss(to_onehot_y=True)))
    assert "CoMixup mixed this batch" in text
    assert "comixup_loss(..., loss_fn=...)" in text
    assert re.search(LINE, text)


def test_a_focal_loss_of_integers_trains_through_the_mixin() -> None:
    train_as_by_hand(
        make_client(ClassifierByClass, make_labels()[:, None], focal_loss(to_onehot_y=True, reduction="none"))
    )


def test_a_focal_loss_of_rows_trains_on_rows() -> None:
    train_as_by_hand(make_client(ClassifierOfRows, make_labels(), focal_loss()))


def test_images_of_its_own_vision_transformer_train_unchanged() -> None:
    train_as_by_hand(make_client(Transformer))
