"""LightningCLI: every argument from YAML and from the command line."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch.cli import LightningCLI
from torch import Tensor, nn

from lightning_comixup import CoMixup, Edges, LowResolution, Random, SpectralResidual, Uniform
from tests.tiny import CLASSES, Tiny, make_loader

# None of these values is the default.
_VALUES: dict[str, Any] = {
    "num_classes": 5,
    "alpha": 1.5,
    "grid_size": [2, 4],
    "partition_size": 10,
    "smoothness": 0.1,
    "diversity": 0.5,
    "penalty_threshold": 0.5,
    "thresholding": "soft",
    "prior_weight": 0.1,
    "compatibility_weight": 0.01,
    "compatibility_window": 4,
    "compatibility_stride": 2,
    "sweeps": 3,
    "restarts": 3,
    "resolve_duplicates": False,
    "solver": "pygco",
    "clean_weight": 0.5,
    "clean_loss": "forward",
    "mixed_share": 0.5,
    "prob": 0.5,
    "start_epoch": 1,
    "stop_epoch": 3,
    "input_key": ["data", 0],
    "target_key": "label",
    "channel_dim": -1,
    "also_mix": ["depth", ["data", 1]],
    "also_average": ["weight"],
    "linear_targets": True,
    "ignore_index": -1,
    "saliency": "tests.test_cli.squares",
    "seed": 7,
    "log": False,
    "log_images_every": 3,
    "images_folder": "pictures",
    "on_nonfinite": "skip",
    "clean_gradient": "backward",
    "manual_optimization": True,
}
_CPU = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}


def squares(module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return inputs.square().mean(1)


def get_image(batch: Any) -> Any:
    return batch["image"]


def set_image(batch: Any, value: Any) -> None:
    batch["image"] = value


class Squares:
    """A saliency with its own settings."""

    def __init__(self, power: int = 2) -> None:
        self.power = power

    def __call__(self, module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        return inputs.abs().pow(self.power).mean(1)


class Loaded(Tiny):
    """A module that needs no arguments on the command line."""

    def __init__(self) -> None:
        super().__init__()

    def train_dataloader(self) -> Any:
        return make_loader()


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a command line changes in the process."""
    monkeypatch.setenv("PL_GLOBAL_SEED", "")
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # for calls that Lightning makes
    monkeypatch.setattr(sys, "argv", sys.argv)
    with torch.random.fork_rng():
        yield


def _run(*arguments: str, run: bool = False) -> LightningCLI:
    sys.argv = ["train.py", *arguments]
    return LightningCLI(Loaded, run=run, save_config_callback=None, seed_everything_default=0)


def _from_yaml(folder: Path, values: dict[str, Any], *arguments: str, run: bool = False) -> LightningCLI:
    callback = {"class_path": "lightning_comixup.CoMixup", "init_args": values}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({"trainer": {**_CPU, "callbacks": [callback]}}), encoding="utf-8")
    command = ["fit", "--config", str(path)] if run else ["--config", str(path)]
    return _run(*command, *arguments, run=run)


def _from_command_line(values: dict[str, Any]) -> LightningCLI:
    trainer = [f"--trainer.{name}={json.dumps(value)}" for name, value in _CPU.items() if name != "accelerator"]
    words = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    chosen = [f"--trainer.callbacks.{name}={word}" for name, word in words.items()]
    return _run("--trainer.accelerator=cpu", *trainer, "--trainer.callbacks+=lightning_comixup.CoMixup", *chosen)


def _callback(cli: LightningCLI) -> CoMixup:
    callbacks: list[Any] = cli.trainer.callbacks  # type: ignore[attr-defined]
    callback: CoMixup = next(found for found in callbacks if isinstance(found, CoMixup))
    return callback


_OF_THE_RUN = ("_image_logger", "_current", "_reader", "_run")


def _state(callback: CoMixup) -> dict[str, Any]:
    images = vars(callback._image_logger)
    own = {name: value for name, value in vars(callback).items() if name not in _OF_THE_RUN}
    return own | images


def test_the_values_are_all_arguments_and_no_defaults() -> None:
    arguments = inspect.signature(CoMixup.__init__).parameters
    assert list(_VALUES) == [name for name in arguments if name != "self"]
    assert all(arguments[name].default != value for name, value in _VALUES.items())


@pytest.mark.parametrize("source", ["yaml", "command line"])
def test_every_argument(source: str, tmp_path: Path) -> None:
    cli = _from_yaml(tmp_path, _VALUES) if source == "yaml" else _from_command_line(_VALUES)
    expected = CoMixup(**(_VALUES | {"grid_size": (2, 4), "saliency": squares}))
    assert _state(_callback(cli)) == _state(expected)


@pytest.mark.parametrize("source", ["yaml", "command line"])
@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("grid_size", 8, 8),
        ("grid_size", "random", "random"),
        ("input_key", 2, 2),
        ("input_key", "image", "image"),
        ("channel_dim", None, None),
        ("also_average", {"data": {"coarse": 20}, "weight": None}, (("data", "coarse"), "weight")),
        ("also_average", {"coarse": 20}, ("coarse",)),
        ("input_key", ["tests.test_cli.get_image", "tests.test_cli.set_image"], None),
    ],
)
def test_arguments_of_several_types(name: str, value: Any, expected: Any, source: str, tmp_path: Path) -> None:
    cli = _from_yaml(tmp_path, {name: value}) if source == "yaml" else _from_command_line({name: value})
    callback = _callback(cli)
    found: Any = getattr(callback.hyperparameters, name, None) or getattr(callback._config, name, None)
    if isinstance(value, list):
        assert tuple(found) == (get_image, set_image)
    else:
        assert found == expected
        assert type(found) is type(expected)


def test_a_saliency_with_settings(tmp_path: Path) -> None:
    saliency = {"class_path": "tests.test_cli.Squares", "init_args": {"power": 4}}
    found = _callback(_from_yaml(tmp_path, {"saliency": saliency}))._config.saliency
    assert isinstance(found, Squares)
    assert found.power == 4


@pytest.mark.parametrize(
    "saliency", [Edges(), LowResolution(3), SpectralResidual(32), Uniform(), Random(2, 4)], ids=repr
)
def test_a_saliency_of_the_package(saliency: Any, tmp_path: Path) -> None:
    name = f"lightning_comixup.{type(saliency).__name__}"
    named = {"class_path": name, "init_args": vars(saliency)}
    found = _callback(_from_yaml(tmp_path, {"saliency": named, "clean_weight": 0.0}))
    assert found._config.saliency == saliency
    by_name = _callback(_from_yaml(tmp_path, {"saliency": name, "clean_weight": 0.0}))
    assert by_name._config.saliency == type(saliency)()
    settings = [f"--trainer.callbacks.saliency.{field}={value}" for field, value in vars(saliency).items()]
    changed = _from_yaml(tmp_path, {"saliency": name, "clean_weight": 0.0}, *settings)
    assert _callback(changed)._config.saliency == saliency


@pytest.mark.parametrize(("name", "expected"), [("paper", CoMixup.paper()), ("fast", CoMixup.fast())])
def test_a_preset_is_named_like_a_class(name: str, expected: CoMixup, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    callbacks = [{"class_path": f"lightning_comixup.CoMixup.{name}"}]
    path.write_text(yaml.safe_dump({"trainer": {**_CPU, "callbacks": callbacks}}), encoding="utf-8")
    assert _state(_callback(_run("--config", str(path)))) == _state(expected)


def test_the_guides_block_of_arguments_is_the_preset(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "guides" / "saliency.md").read_text(encoding="utf-8")
    [block] = [found for found in re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL) if "mixed_share" in found]
    [callback] = yaml.safe_load(block)["trainer"]["callbacks"]
    assert callback["class_path"] == "lightning_comixup.CoMixup"
    assert _state(_callback(_from_yaml(tmp_path, callback["init_args"]))) == _state(CoMixup.fast())


def test_a_run(tmp_path: Path) -> None:
    arguments = ("--trainer.max_epochs=1", f"--trainer.default_root_dir={tmp_path}")
    cli = _from_yaml(tmp_path, {"partition_size": 8, "restarts": 1}, *arguments, run=True)
    module: Any = cli.model
    assert [targets.shape for _, targets in module.seen] == [(16, CLASSES)] * 3 + [(2, CLASSES)]
    assert _callback(cli).seed == 0  # from seed_everything
    assert all(bool(torch.isfinite(parameter).all()) for parameter in module.parameters())


def test_values_out_of_range_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((ValueError, SystemExit)) as raised:
        _from_yaml(tmp_path, {"alpha": -1.0})
    assert "alpha must be" in f"{raised.value} {raised.value.__cause__} {capsys.readouterr().err}"
