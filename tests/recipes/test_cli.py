"""The option for the mixing, resuming, and the settings that a command line leads to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from examples.recipes.cli import RecipeCLI
from examples.recipes.pair_mixing import Cutmix, Mixup, PairMixing
from lightning_comixup import CoMixup
from tests.recipes.conftest import RunRecipe
from tests.recipes.layouts import write_fashion_mnist, write_speech_commands

_SMALL = ("--data.labels_per_class=3", "--data.batch_size=10", "--model.network.width=4")


@pytest.fixture
def fashion(tmp_path: Path) -> Sequence[str]:
    write_fashion_mnist(tmp_path / "data")
    return (f"--data.folder={tmp_path / 'data'}", *_SMALL)


def _mixings(cli: RecipeCLI) -> list[type]:
    callbacks: list[Any] = cli.trainer.callbacks  # type: ignore[attr-defined]
    return [type(callback) for callback in callbacks if isinstance(callback, (CoMixup, PairMixing))]


@pytest.mark.parametrize(("mixing", "expected"), [("comixup", [CoMixup]), ("none", [])])
def test_the_switch(mixing: str, expected: list[type], run_recipe: RunRecipe, fashion: Sequence[str]) -> None:
    cli = run_recipe("fit", "fashion_mnist", *fashion, f"--mixing={mixing}", "--trainer.max_epochs=1")
    assert _mixings(cli) == expected
    assert cli.trainer.global_step == 3


@pytest.mark.parametrize(("mixing", "expected"), [("mixup", Mixup), ("cutmix", Cutmix)])
def test_the_switch_to_torchvision(mixing: str, expected: type, run_recipe: RunRecipe, fashion: Sequence[str]) -> None:
    pytest.importorskip("torchvision")
    cli = run_recipe(
        "fit", "fashion_mnist", *fashion, f"--mixing={mixing}", f"--{mixing}.alpha=0.5", "--trainer.max_epochs=1"
    )
    assert _mixings(cli) == [expected]
    (callback,) = [found for found in cli.trainer.callbacks if isinstance(found, PairMixing)]  # type: ignore[attr-defined]
    assert (callback.alpha, callback.num_classes) == (0.5, 10)
    assert cli.trainer.global_step == 3


def test_cutmix_refuses_signals(run_recipe: RunRecipe, tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    write_speech_commands(tmp_path)
    small = ("--data.num_classes=3", "--data.batch_size=6", "--model.network.width=4", "--trainer.max_epochs=1")
    arguments = (f"--data.folder={tmp_path}", *small, "--mixing=cutmix")
    with pytest.raises(ValueError, match=r"CutMix needs images .* found \(6, 1, 16000\)"):
        run_recipe("fit", "speech_commands networks/raw_waveform", *arguments)


def test_settings_of_the_mixing(run_recipe: RunRecipe, fashion: Sequence[str]) -> None:
    cli = run_recipe("fit", "fashion_mnist", *fashion, "--comixup.sweeps=2", "--trainer.max_epochs=0")
    (callback,) = [found for found in cli.trainer.callbacks if isinstance(found, CoMixup)]  # type: ignore[attr-defined]
    assert callback.hyperparameters.sweeps == 2
    assert callback._config.num_classes == 10  # read from the data


@pytest.mark.parametrize("how", ["path", "last"])
def test_resuming(how: str, run_recipe: RunRecipe, fashion: Sequence[str], tmp_path: Path) -> None:
    run_recipe("fit", "fashion_mnist", *fashion, "--trainer.max_epochs=1")
    saved = tmp_path / "runs/comixup/checkpoints/last.ckpt"
    state = torch.load(saved, weights_only=True)
    checkpoint = f"--ckpt_path={saved if how == 'path' else how}"
    resumed = run_recipe("fit", "fashion_mnist", *fashion, "--trainer.max_epochs=3", checkpoint)
    assert (state["global_step"], resumed.trainer.global_step) == (3, 9)
    medians = resumed.model.last_top1
    assert int(medians.isfinite().sum()) == 3  # the first epoch's value comes from the checkpoint
    assert medians[-3] == state["state_dict"]["last_top1"][-1]
    assert resumed.trainer.callback_metrics["val/top1_median_of_last_ten"] == medians[-3:].median()
    assert torch.load(saved, weights_only=True)["global_step"] == 9


def test_testing_a_checkpoint(run_recipe: RunRecipe, fashion: Sequence[str]) -> None:
    fitted = run_recipe("fit", "fashion_mnist", *fashion, "--trainer.max_epochs=1")
    tested = run_recipe("test", "fashion_mnist", *fashion, "--ckpt_path=last")
    assert tested.trainer.callback_metrics["test/top1"] == fitted.trainer.callback_metrics["val/top1"]


def test_without_loggers(run_recipe: RunRecipe, fashion: Sequence[str], tmp_path: Path) -> None:
    cli = run_recipe("fit", "fashion_mnist", *fashion, "--trainer.logger=false", "--trainer.max_epochs=1")
    assert cli.trainer.loggers == []
    assert [path.name for path in (tmp_path / "runs/comixup").iterdir()] == ["checkpoints"]
