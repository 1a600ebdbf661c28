"""The configuration of each recipe trains for a few steps on tiny files in the layout of the real data."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch

from examples.recipes.arrange_tiny_imagenet import arrange
from examples.recipes.cli import RecipeCLI
from lightning_comixup import CoMixup
from tests.recipes import layouts
from tests.recipes.conftest import RunRecipe

_NARROW_PREACT = ("--model.network.width=4", "--model.network.blocks=[1,1]")


def _check(cli: RecipeCLI, root: Path, steps: int) -> None:
    """Check that the recipe trained, mixed, measured, logged and saved."""
    trainer: Any = cli.trainer
    assert trainer.global_step == steps
    comixup = next(callback for callback in trainer.callbacks if isinstance(callback, CoMixup))
    assert comixup.last_report is not None
    assert all(bool(torch.isfinite(parameter).all()) for parameter in cli.model.parameters())
    assert set(trainer.callback_metrics) >= {"val/top1", "val/top5", "val/loss", "val/top1_median_of_last_ten"}
    with (root / "runs/comixup/csv/version_0/metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["val/top1"] for row in rows if row["val/top1"]] == [str(trainer.callback_metrics["val/top1"].item())]
    assert any((root / "runs/comixup/tensorboard/version_0").glob("events.out.tfevents.*"))
    assert (root / "runs/comixup/checkpoints/last.ckpt").is_file()


@pytest.mark.parametrize(
    ("classes", "network", "arguments"),
    [
        (10, "", _NARROW_PREACT),
        (100, "", _NARROW_PREACT),
        (100, " networks/wrn16_8", ("--model.network.depth=10", "--model.network.widening=1")),
        (100, " networks/resnext29_4_24", ("--model.network.depth=11", "--model.network.base_width=4")),
    ],
)
def test_cifar(
    classes: int,
    network: str,
    arguments: tuple[str, ...],
    run_recipe: RunRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torchvision")
    layouts.write_cifar(tmp_path, classes, monkeypatch)
    small = (f"--data.folder={tmp_path}", "--data.batch_size=20", "--trainer.max_epochs=1")
    cli = run_recipe("fit", f"cifar{classes}{network}", *small, *arguments)
    _check(cli, tmp_path, steps=2)
    assert cli.model.loss_kind == "bce"


def test_tiny_imagenet(run_recipe: RunRecipe, tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    layouts.write_tiny_imagenet(tmp_path)
    small = (f"--data.folder={tmp_path}", "--data.num_classes=3", "--data.batch_size=12", "--trainer.max_epochs=1")
    with pytest.raises(FileNotFoundError, match="arrange_tiny_imagenet"):
        run_recipe("fit", "tiny_imagenet", *small, *_NARROW_PREACT)
    assert arrange(tmp_path) == 3
    cli = run_recipe(
        "fit", "tiny_imagenet", *small, *_NARROW_PREACT, f"--trainer.default_root_dir={tmp_path / 'again/runs'}"
    )
    _check(cli, tmp_path / "again", steps=2)


def test_imagenet(run_recipe: RunRecipe, tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    layouts.write_imagenet(tmp_path)
    phases = "[{first_epoch: 0, stored_side: 160, crop: 32, smallest_scale: 0.08, batch_size: 8}]"
    small = ("--data.num_classes=3", "--data.validation_resize=40", "--data.validation_crop=32")
    network = ("--model.network.name=resnet18",)
    arguments = (f"--data.folder={tmp_path}", f"--data.phases={phases}", *small, *network, "--trainer.max_epochs=1")
    _check(run_recipe("fit", "imagenet", *arguments), tmp_path, steps=3)


@pytest.mark.parametrize(("name", "network"), [("stanford_cars", ""), ("fgvc_aircraft", " networks/resnext50")])
def test_fine_grained(name: str, network: str, run_recipe: RunRecipe, tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    (layouts.write_stanford_cars if name == "stanford_cars" else layouts.write_aircraft)(tmp_path)
    small = ("--data.num_classes=3", "--data.batch_size=4", "--data.resize=40", "--data.crop=32")
    no_download = "--model.network.weights=null"
    cli = run_recipe(
        "fit", f"{name}{network}", f"--data.folder={tmp_path}", *small, no_download, "--trainer.max_epochs=1"
    )
    _check(cli, tmp_path, steps=2)  # the ninth image is left out


@pytest.mark.parametrize("network", ["", " networks/raw_waveform"])
def test_speech_commands(network: str, run_recipe: RunRecipe, tmp_path: Path) -> None:
    layouts.write_speech_commands(tmp_path)
    small = ("--data.num_classes=3", "--data.batch_size=6", "--model.network.width=4", "--trainer.max_epochs=1")
    cli = run_recipe("fit", f"speech_commands{network}", f"--data.folder={tmp_path}", *small)
    _check(cli, tmp_path, steps=3)


def test_fashion_mnist(run_recipe: RunRecipe, tmp_path: Path) -> None:
    layouts.write_fashion_mnist(tmp_path)
    small = ("--data.labels_per_class=3", "--data.batch_size=10", "--model.network.width=4", "--trainer.max_epochs=1")
    _check(run_recipe("fit", "fashion_mnist", f"--data.folder={tmp_path}", *small), tmp_path, steps=3)
