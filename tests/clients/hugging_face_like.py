"""Models that compute their own loss from the labels, in the style of transformers."""

from __future__ import annotations

from collections import UserDict
from operator import itemgetter
from types import SimpleNamespace
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.clients.base import Client
from tests.clients.data import CLASSES, make_images, make_labels, make_loader, make_series, small_backbone


class ModelOutput(UserDict[str, Any]):
    """A dictionary whose entries are also attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["data"][name]
        except KeyError:
            raise AttributeError(name) from None


def loss_by_problem_type(labels: Tensor, pooled_logits: Tensor, config: Any, **_: Any) -> Tensor:
    """Return the loss for the kind of labels, and record the kind in the configuration."""
    if config.problem_type is None:
        if config.num_labels == 1:
            config.problem_type = "regression"
        elif labels.dtype in (torch.long, torch.int):
            config.problem_type = "single_label_classification"
        else:
            config.problem_type = "multi_label_classification"
    labels = labels.to(pooled_logits.device)
    if config.problem_type == "regression":
        return F.mse_loss(pooled_logits.squeeze(), labels.squeeze())
    if config.problem_type == "single_label_classification":
        return F.cross_entropy(pooled_logits.view(-1, config.num_labels), labels.view(-1))
    return F.binary_cross_entropy_with_logits(pooled_logits, labels)


class FakeImageModel(nn.Module):
    """An image model with a replaceable loss function."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(num_labels=CLASSES, problem_type=None, return_dict=True)
        self.encoder, self.classifier = small_backbone(3), nn.Linear(96, CLASSES)
        self.loss_function: Any = loss_by_problem_type

    def forward(self, pixel_values: Tensor, labels: Tensor | None = None, **_: Any) -> ModelOutput:
        logits = self.classifier(self.encoder(pixel_values))
        loss = None if labels is None else self.loss_function(labels, logits, self.config)
        return ModelOutput({"loss": loss, "logits": logits, "hidden_states": None})


class FakeAudioModel(nn.Module):
    """An audio model for mono waveforms (B, T), with its loss written in `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(num_labels=CLASSES)
        self.encoder = nn.Sequential(nn.Conv1d(1, 6, 9, stride=4, padding=4), nn.GELU(), nn.AdaptiveAvgPool1d(8))
        self.classifier = nn.Linear(48, CLASSES)

    def forward(self, input_values: Tensor, labels: Tensor | None = None) -> ModelOutput:
        logits = self.classifier(self.encoder(input_values[:, None]).flatten(1))
        loss = None
        if labels is not None:
            loss = nn.CrossEntropyLoss()(logits.view(-1, self.config.num_labels), labels.view(-1))
        return ModelOutput({"loss": loss, "logits": logits})


class Finetuning(L.LightningModule):
    """The model gets the whole batch, including its labels, and returns the loss."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, **inputs: Any) -> Any:
        return self.model(**inputs)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        outputs = self(**batch)
        loss: Tensor = outputs.loss
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=5e-3)


class OwnLoss(Finetuning):
    """The model gets only the inputs, and the step computes the loss from its logits."""

    def __init__(self, model: nn.Module, key: str) -> None:
        super().__init__(model)
        self.key = key

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        logits = self.model(batch[self.key]).logits
        loss = F.cross_entropy(logits, batch["labels"])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss


def with_loss_of_rows() -> Finetuning:
    model = FakeImageModel()
    model.loss_function = lambda labels, logits, config, **_: F.cross_entropy(logits, labels)  # the added line
    return Finetuning(model)


def image_features() -> Any:
    images, labels = make_images(channels=3)
    return make_loader(lambda index: {"pixel_values": images[index], "labels": labels[index]})


def audio_features() -> Any:
    waveforms, labels = make_series(channels=1)[0].squeeze(1), make_labels()
    return make_loader(lambda index: {"input_values": waveforms[index], "labels": labels[index]})


_IMAGES: dict[str, Any] = {
    "inputs": itemgetter("pixel_values"),
    "targets": itemgetter("labels"),
    "loss_key": "train_loss",
}
CLIENTS = [
    Client(
        "transformer_image",
        "image model of transformers that gets the labels",
        lambda: Finetuning(FakeImageModel()),
        image_features,
        lines=1,
        refusal="loss_function",
        needed="its loss flattens rows or takes them for several labels: set "
        "`model.loss_function = lambda labels, logits, *_, **__: F.cross_entropy(logits, labels)`",
    ),
    Client(
        "transformer_image_replaced",
        "the same with a `loss_function` for rows",
        with_loss_of_rows,
        image_features,
        lines=1,
        needed="`model.loss_function = ...`, as above",
        **_IMAGES,
    ),
    Client(
        "transformer_image_logits",
        "image model of transformers, own cross-entropy of its logits",
        lambda: OwnLoss(FakeImageModel(), "pixel_values"),
        image_features,
        **_IMAGES,
    ),
    Client(
        "transformer_audio",
        "audio model of transformers (B, T) that gets the labels",
        lambda: Finetuning(FakeAudioModel()),
        audio_features,
        settings={"channel_dim": None},
        lines=2,
        refusal=r"(?i)view|flatten|rows",
        names_line=True,
        needed="its loss flattens rows: compute the cross-entropy of its logits in the step",
    ),
    Client(
        "transformer_audio_logits",
        "audio model of transformers (B, T), own cross-entropy of its logits",
        lambda: OwnLoss(FakeAudioModel(), "input_values"),
        audio_features,
        settings={"channel_dim": None},
        lines=1,
        needed="`channel_dim=None`",
        inputs=itemgetter("input_values"),
        targets=itemgetter("labels"),
        loss_key="train_loss",
    ),
]
