"""Models of transformers that compute their own loss, in a plain module."""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.clients.base import Client
from tests.clients.data import CLASSES, make_images, make_loader, make_series, make_tags
from tests.clients.record import train
from tests.packages.checking import LINE, refusal, train_as_by_hand

transformers = pytest.importorskip("transformers")
TINY: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_labels": CLASSES,
}


class Finetuning(L.LightningModule):
    """The model gets the labels and returns the loss."""

    def __init__(self, model: Any, key: str) -> None:
        super().__init__()
        self.model, self.key = model, key

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        outputs = self.model(**{self.key: batch[self.key]}, labels=batch["labels"])
        loss: Tensor = outputs.loss
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


class OwnLoss(Finetuning):
    """The step computes the loss from the model's logits."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        logits = self.model(batch[self.key]).logits
        loss = F.cross_entropy(logits, batch["labels"])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss


def make_vit(**settings: Any) -> Any:
    config = transformers.ViTConfig(image_size=32, patch_size=8, **TINY, **settings)
    return transformers.ViTForImageClassification(config)


def make_resnet() -> Any:
    sizes: dict[str, Any] = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
    return transformers.ResNetForImageClassification(transformers.ResNetConfig(num_labels=CLASSES, **sizes))


def make_wav2vec2(kind: str = "Wav2Vec2") -> Any:
    """Return a model for waveforms (B, T) with dropout and layer drop, but without masks drawn by NumPy's generator."""
    convolutions: dict[str, Any] = {"conv_dim": (8, 8), "conv_kernel": (8, 4), "conv_stride": (4, 2)}
    positions: dict[str, Any] = {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}
    sizes: dict[str, Any] = {"classifier_proj_size": 8, "apply_spec_augment": False}
    config = getattr(transformers, f"{kind}Config")(**TINY, **convolutions, **positions, **sizes)
    return getattr(transformers, f"{kind}ForSequenceClassification")(config)


def make_spectrogram_transformer() -> Any:
    """Return a model for spectrograms (B, T, mel)."""
    config = transformers.ASTConfig(
        patch_size=8, frequency_stride=8, time_stride=8, max_length=32, num_mel_bins=16, **TINY
    )
    return transformers.ASTForAudioClassification(config)


def loss_of_rows(labels: Tensor, logits: Tensor, *_: Any, **__: Any) -> Tensor:
    return F.cross_entropy(logits, labels)


def with_loss_of_rows(model: Any) -> Any:
    model.loss_function = loss_of_rows  # the added line
    return model


def image_loader() -> Any:
    images, labels = make_images(channels=3, side=32)
    return make_loader(lambda index: {"pixel_values": images[index], "labels": labels[index]})


def waveform_loader() -> Any:
    series, labels = make_series(channels=1, length=256)
    return make_loader(lambda index: {"input_values": series[index, 0], "labels": labels[index]})


def spectrogram_loader() -> Any:
    images, labels = make_images(side=32)
    return make_loader(lambda index: {"input_values": images[index, 0, :, :16], "labels": labels[index]})


def tags_loader() -> Any:
    images, tags = make_images(channels=3, side=32)[0], make_tags().float()
    return make_loader(lambda index: {"pixel_values": images[index], "labels": tags[index]})


def mean_square(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    return inputs.square().mean(1)


def make_client(
    module: type[Finetuning],
    make_model: Callable[[], Any],
    key: str = "pixel_values",
    loader: Callable[[], Any] = image_loader,
    **settings: Any,
) -> Client:
    return Client(
        name="transformers",
        style="",
        make_module=lambda: module(make_model(), key),
        make_loader=loader,
        settings=settings,
        inputs=itemgetter(key),
        targets=itemgetter("labels"),
        loss_key="train_loss",
    )


def make_hubert() -> Any:
    return make_wav2vec2("Hubert")


SOUND: dict[str, Any] = {"key": "input_values", "channel_dim": None}
SOUNDS = [
    pytest.param(make_wav2vec2, waveform_loader, id="wav2vec2"),
    pytest.param(make_hubert, waveform_loader, id="hubert"),
    pytest.param(make_spectrogram_transformer, spectrogram_loader, id="ast"),
]
IMAGES = [make_vit, make_resnet]


@pytest.mark.parametrize("make_model", IMAGES)
def test_the_models_own_loss_is_refused(make_model: Callable[[], Any]) -> None:
    client = make_client(Finetuning, make_model)
    text = refusal(client)
    assert "`model.loss_function = lambda labels, logits, *_, **__: torch.nn.functional.cross_entropy" in text
    assert re.search(LINE, text)


def test_the_clean_batch_sets_the_problem_type() -> None:
    run = train(make_client(Finetuning, make_vit))
    assert run.error is not None
    module: Any = run.module
    assert module.model.config.problem_type == "single_label_classification"  # as without the callback


def test_inspecting_the_targets_sets_the_problem_type_like_a_clean_pass() -> None:
    run = train(make_client(Finetuning, make_vit, clean_weight=0, saliency=mean_square))
    module: Any = run.module
    assert "`model.loss_function = " in run.error_text
    assert module.model.config.problem_type == "single_label_classification"


@pytest.mark.parametrize("make_model", IMAGES)
def test_one_line_makes_it_train(make_model: Callable[[], Any]) -> None:
    run, _ = train_as_by_hand(make_client(Finetuning, lambda: with_loss_of_rows(make_model())))
    module: Any = run.module
    assert module.model.config.problem_type is None


@pytest.mark.parametrize("make_model", IMAGES)
def test_a_loss_of_the_logits_trains_unchanged(make_model: Callable[[], Any]) -> None:
    train_as_by_hand(make_client(OwnLoss, make_model))


def test_several_labels_at_once_train_unchanged() -> None:
    run, _ = train_as_by_hand(make_client(Finetuning, make_vit, loader=tags_loader))
    module: Any = run.module
    assert module.model.config.problem_type == "multi_label_classification"


@pytest.mark.parametrize(("make_model", "loader"), SOUNDS)
def test_sound_is_refused_as_images_are(make_model: Callable[[], Any], loader: Callable[[], Any]) -> None:
    text = refusal(make_client(Finetuning, make_model, loader=loader, **SOUND))
    assert "`model.loss_function = " in text
    assert "cross_entropy(outputs.logits, targets)" in text


def test_one_line_makes_sound_train() -> None:
    client = make_client(
        Finetuning, lambda: with_loss_of_rows(make_spectrogram_transformer()), loader=spectrogram_loader, **SOUND
    )
    train_as_by_hand(client)


@pytest.mark.parametrize("make_model", [make_wav2vec2, make_hubert])
def test_a_loss_that_is_written_out_cannot_be_replaced(make_model: Callable[[], Any]) -> None:
    client = make_client(Finetuning, lambda: with_loss_of_rows(make_model()), loader=waveform_loader, **SOUND)
    assert "not be flattened" in refusal(client)


@pytest.mark.parametrize(("make_model", "loader"), SOUNDS)
def test_a_loss_of_the_logits_of_sound_trains(make_model: Callable[[], Any], loader: Callable[[], Any]) -> None:
    train_as_by_hand(make_client(OwnLoss, make_model, loader=loader, **SOUND))


def as_features(samples: list[dict[str, Tensor]]) -> Any:
    """Collate into the batch that image processors return, a mapping with its own `to`."""
    return transformers.BatchFeature(torch.utils.data.default_collate(samples))


class WholeBatch(Finetuning):
    """The model gets all parts of the batch by name."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss: Tensor = self.model(**batch).loss
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss


def test_a_batch_of_features_trains_whole() -> None:
    images, labels = make_images(channels=3, side=32)
    client = make_client(
        WholeBatch,
        lambda: with_loss_of_rows(make_vit()),
        loader=lambda: make_loader(
            lambda index: {"pixel_values": images[index], "labels": labels[index]}, collate_fn=as_features
        ),
    )
    run, _ = train_as_by_hand(client)
    assert all(type(step.mixed) is transformers.BatchFeature for step in run.steps)
