"""Fixtures for the tests of the recipes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
import torch

from examples.recipes.cli import RecipeCLI
from examples.recipes.cli import run as run_cli
from tests.recipes.layouts import CONFIGS


class RunRecipe(Protocol):
    def __call__(self, command: str, config: str, *arguments: str) -> RecipeCLI: ...


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a command line changes in the process."""
    monkeypatch.setenv("PL_GLOBAL_SEED", "")
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # for calls that Lightning makes
    monkeypatch.setattr(sys, "argv", ["recipes"])
    with torch.random.fork_rng():
        yield


@pytest.fixture
def run_recipe(tmp_path: Any) -> RunRecipe:
    """Return a function that runs a recipe's configuration on one CPU."""
    shared = {
        "trainer.default_root_dir": tmp_path / "runs",
        "trainer.accelerator": "cpu",
        "trainer.devices": 1,
        "trainer.strategy": "auto",
        "trainer.precision": "32-true",
        "trainer.enable_progress_bar": "false",
        "trainer.enable_model_summary": "false",
        "data.workers": 0,
    }

    def run(command: str, config: str, *arguments: str) -> RecipeCLI:
        files = [word for name in config.split() for word in ("--config", str(CONFIGS / f"{name}.yaml"))]
        return run_cli([command, *files, *(f"--{name}={value}" for name, value in shared.items()), *arguments])

    return run
