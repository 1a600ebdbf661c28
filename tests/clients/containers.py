"""Batches that are not plain lists, and batches that contain more than inputs and labels."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter, itemgetter
from types import SimpleNamespace
from typing import Any, NamedTuple

import lightning as L
import torch
from lightning.pytorch.utilities import CombinedLoader
from torch import Tensor
from torch.nn import functional as F

from tests.clients.base import Client
from tests.clients.data import SIZE, image_loader, make_images, make_loader, small_network


class Plain(L.LightningModule):
    """A classifier. Subclasses differ in how they unpack a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.net = small_network()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


class Named(Plain):
    """A batch with attributes: a dataclass, a named tuple or an object."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch.images), batch.labels)
        self.log("train/loss", loss, on_epoch=True, on_step=False, batch_size=len(batch.labels))
        return loss


class WebSamples(Plain):
    """Samples from a stream of archives: key, image, label, URL, and a part that may be missing."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        _, images, labels, _, _ = batch
        return F.cross_entropy(self(images), labels)


class ShortNames(Plain):
    """A dictionary with short names."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch["x"]), batch["y"])


class SampleWeights(Plain):
    """Each sample has a weight in the loss."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, labels, weights = batch
        return (F.cross_entropy(self(images), labels, reduction="none") * weights).mean()


class NamedWeights(Plain):
    """The same with a dictionary, and the index of each sample."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        losses = F.cross_entropy(self(batch["image"]), batch["label"], reduction="none")
        return (losses * batch["weight"]).sum() / batch["weight"].sum()


class SemiSupervised(Plain):
    """Labelled and unlabelled images. Predictions for unlabelled images should not change when these are flipped."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, labels = batch["labelled"]
        (unlabelled,) = batch["unlabelled"]
        supervised = F.cross_entropy(self(images), labels)
        with torch.no_grad():
            target = self(unlabelled).softmax(1)
        consistency = F.mse_loss(self(unlabelled.flip(-1)).softmax(1), target)
        return supervised + 0.5 * consistency

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


@dataclass
class ImageBatch:
    images: Tensor
    labels: Tensor
    names: list[str]


class ImageTuple(NamedTuple):
    images: Tensor
    labels: Tensor
    indices: Tensor


def stacked(items: list[Any]) -> tuple[Tensor, Tensor]:
    return torch.stack([item[0] for item in items]), torch.stack([item[1] for item in items])


def as_dataclass(items: list[Any]) -> ImageBatch:
    return ImageBatch(*stacked(items), [str(number) for number in range(len(items))])


def as_named_tuple(items: list[Any]) -> ImageTuple:
    return ImageTuple(*stacked(items), torch.arange(len(items)))


def as_object(items: list[Any]) -> SimpleNamespace:
    images, labels = stacked(items)
    return SimpleNamespace(images=images, labels=labels)


def as_web_sample(items: list[Any]) -> tuple[Any, ...]:
    keys = [f"{number:06d}" for number in range(len(items))]
    return (keys, *stacked(items), ["archive.tar"] * len(items), None)


def loader_of(collate: Any) -> Any:
    images, labels = make_images()
    return make_loader(lambda index: (images[index], labels[index]), collate_fn=collate)


def dict_loader() -> Any:
    images, labels = make_images()
    return make_loader(lambda index: {"index": index, "x": images[index], "y": labels[index], "id": f"s{index}"})


def weights() -> Tensor:
    return torch.linspace(0.2, 2.0, SIZE)


def weighted_dict_loader() -> Any:
    parts = (*make_images(), weights())
    return make_loader(
        lambda index: dict(zip(("image", "label", "weight"), (part[index] for part in parts), strict=True))
    )


def two_loaders() -> Any:
    unlabelled = make_images()[0].flip(0)
    return CombinedLoader({"labelled": image_loader(), "unlabelled": make_loader((unlabelled,))}, "min_size")


_ATTRIBUTES: dict[str, Any] = {"inputs": attrgetter("images"), "targets": attrgetter("labels")}
_UNMIXED = r"(?i){0}.*unmixed|unmixed.*{0}"
CLIENTS = [
    Client(
        "dataclass",
        "batch is a dataclass",
        Named,
        lambda: loader_of(as_dataclass),
        loss_key="train/loss",
        **_ATTRIBUTES,
    ),
    Client(
        "named_tuple",
        "batch is a named tuple, with indices",
        Named,
        lambda: loader_of(as_named_tuple),
        loss_key="train/loss",
        told=_UNMIXED.format("indices"),
        needed="the indices stay as they are, as a note says once",
        **_ATTRIBUTES,
    ),
    Client(
        "object",
        "batch is an object with attributes",
        Named,
        lambda: loader_of(as_object),
        loss_key="train/loss",
        **_ATTRIBUTES,
    ),
    Client(
        "web_samples",
        "tuple of keys, images, labels, URLs and None",
        WebSamples,
        lambda: loader_of(as_web_sample),
        inputs=itemgetter(1),
        targets=itemgetter(2),
    ),
    Client(
        "short_names",
        "dictionary with x, y, index and id",
        ShortNames,
        dict_loader,
        inputs=itemgetter("x"),
        targets=itemgetter("y"),
        told=_UNMIXED.format("index"),
        needed="the index stays as it is, as a note says once",
    ),
    Client(
        "sample_weights",
        "a weight for each sample, in a list",
        SampleWeights,
        lambda: make_loader((*make_images(), weights())),
        told=_UNMIXED.format(r"\b2\b"),
        needed="the weights stay unmixed, as a note says once; `also_average=[2]` mixes them",
    ),
    Client(
        "sample_weights_averaged",
        "a weight for each sample, mixed",
        SampleWeights,
        lambda: make_loader((*make_images(), weights())),
        settings={"also_average": [2]},
        lines=1,
        needed="`also_average=[2]`",
    ),
    Client(
        "named_weights",
        "a weight for each sample, in a dictionary",
        NamedWeights,
        weighted_dict_loader,
        inputs=itemgetter("image"),
        targets=itemgetter("label"),
        told=_UNMIXED.format("weight"),
        needed="the weights stay unmixed, as a note says once",
    ),
    Client(
        "two_loaders",
        "two loaders, labelled and unlabelled",
        SemiSupervised,
        two_loaders,
        lines=2,
        settings={"input_key": ["labelled", 0], "target_key": ["labelled", 1]},
        inputs=lambda batch: batch["labelled"][0],
        targets=lambda batch: batch["labelled"][1],
        needed='`input_key=["labelled", 0]`, `target_key=["labelled", 1]`',
    ),
    Client(
        "two_loaders_default",
        "two loaders, the callback alone",
        SemiSupervised,
        two_loaders,
        lines=2,
        refusal=r"(?s)(?=.*input_key)(?=.*labelled)",
        needed="it is not clear which images to mix: set both keys, as above",
    ),
]
