"""The phases of the ImageNet recipe: crops, batches and learning rates by epoch, in one run and in a resumed one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import pytest
import torch
import yaml
from torch import Tensor, nn

from examples.recipes.classifier import Classifier
from examples.recipes.data.imagenet import ImageNet, Phase, phase_of, share_out
from examples.recipes.learning_rate import InterpolatedLearningRate, LearningRateLine
from lightning_comixup import CoMixup
from tests.recipes.layouts import CLASSES, CONFIGS, write_imagenet

_PHASES = [
    Phase(first_epoch=0, stored_side=160, crop=32, smallest_scale=0.08, batch_size=12),
    Phase(first_epoch=1, stored_side=352, crop=48, smallest_scale=0.087, batch_size=8),
]
_LINES = [LearningRateLine(epochs=[0, 1], values=[0.5, 1.0]), LearningRateLine(epochs=[1, 2], values=[0.3, 0.0])]


class Seen(NamedTuple):
    epoch: int
    shape: tuple[int, ...]
    learning_rate: float


class Recorder(L.Callback):
    """Records the training batches and their learning rates."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        group = trainer.optimizers[0].param_groups[1]
        self.seen.append(Seen(trainer.current_epoch, tuple(batch[0].shape), round(group["lr"], 6)))


class Pooled(nn.Module):
    """A network for images of any size."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4, classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.layers(images).mean((2, 3)))
        return logits


def _data(folder: Path) -> ImageNet:
    return ImageNet(folder, _PHASES, num_classes=CLASSES, workers=0, validation_resize=40, validation_crop=32)


def _fit(folder: Path, root: Path, epochs: int, resume: str | None = None, reload: int = 1) -> tuple[list[Seen], str]:
    recorder = Recorder()
    module = Classifier(CLASSES, Pooled, lambda groups: torch.optim.SGD(groups, lr=9.0), decay_norms=False)
    checkpoint = L.pytorch.callbacks.ModelCheckpoint(root, filename=f"{epochs}-{{epoch}}", save_last=False)
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        reload_dataloaders_every_n_epochs=reload,
        callbacks=[recorder, InterpolatedLearningRate(_LINES), CoMixup(seed=0, num_classes=CLASSES), checkpoint],
    )
    trainer.fit(module, datamodule=_data(folder), ckpt_path=resume)
    return recorder.seen, checkpoint.best_model_path


_FIRST = [Seen(0, (12, 3, 32, 32), 0.75), Seen(0, (12, 3, 32, 32), 1.0)]
_SECOND = [Seen(1, (8, 3, 48, 48), value) for value in (0.2, 0.1, 0.0)]


def test_one_run_and_a_resumed_one(tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    write_imagenet(tmp_path / "data")
    assert _fit(tmp_path / "data", tmp_path / "whole", 2)[0] == [*_FIRST, *_SECOND]
    first, checkpoint = _fit(tmp_path / "data", tmp_path / "parts", 1)
    assert first == _FIRST
    assert _fit(tmp_path / "data", tmp_path / "parts", 2, checkpoint)[0] == _SECOND


def test_loaders_that_would_not_change(tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    write_imagenet(tmp_path / "data")
    with pytest.raises(ValueError, match="reload_dataloaders_every_n_epochs 1, found 0"):
        _fit(tmp_path / "data", tmp_path, 2, reload=0)


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (0, (160, 128, 0.08, 1024)),
        (14, (160, 128, 0.08, 1024)),
        (15, (352, 224, 0.087, 448)),
        (99, (352, 224, 0.087, 448)),
    ],
)
def test_phases_of_the_recipe(epoch: int, expected: tuple[float, ...]) -> None:
    config = yaml.safe_load((CONFIGS / "imagenet.yaml").read_text(encoding="utf-8"))
    found = phase_of([Phase(**phase) for phase in config["data"]["init_args"]["phases"]], epoch)
    assert (found.stored_side, found.crop, found.smallest_scale, found.batch_size) == expected


@pytest.mark.parametrize("order", [[], [1], [1, 0], [0, 0]])
def test_phases_out_of_order(order: list[int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must begin at epoch 0 and be in order"):
        ImageNet(tmp_path, [_PHASES[index] for index in order])


def test_the_devices_share_a_batch() -> None:
    assert share_out(448, 4) == 112
    with pytest.raises(ValueError, match="found 448 images for 3 devices"):
        share_out(448, 3)
