"""The README's module and the page on timm and W&B train as written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

pytest.importorskip("timm")
wandb = pytest.importorskip("wandb")

_ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _wandb_without_internet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("WANDB_MODE", "disabled")  # the page itself uses offline mode, by an argument
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.chdir(tmp_path)
    yield
    wandb.finish()


def _blocks(page: str, language: str) -> list[str]:
    text = (_ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def _run(script: str, **names: Any) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "documentation", **names}
    exec(compile(script, "documentation", "exec"), namespace)
    return namespace


def test_the_module_of_the_readme_trains() -> None:
    """The lines of its diff run with a network that does not need a download, few images and one epoch."""
    [diff] = _blocks("README.md", "diff")
    script = "\n".join(line[1:] for line in diff.splitlines() if not line.startswith("-"))
    assert script.count("CoMixup") == 2, "one import and one argument"
    for shown, small in [
        ('"resnet50", pretrained=True', '"test_resnet", pretrained=False'),
        ("max_epochs=100", "max_epochs=1"),
    ]:
        assert script.count(shown) == 1
        script = script.replace(shown, small)
    loader = DataLoader(TensorDataset(torch.rand(40, 3, 32, 32), torch.randint(0, 10, (40,))), batch_size=20)
    trainer = _run(script, train_loader=loader, val_loader=None)["trainer"]
    assert trainer.global_step == 2
    assert "comixup/clean_loss" in trainer.callback_metrics


def test_the_page_on_timm_and_wandb_trains() -> None:
    trainer = _run("\n".join(_blocks("docs/tasks/timm_and_wandb.md", "python")))["trainer"]
    assert {"train/accuracy", "comixup/clean_loss"} <= set(trainer.callback_metrics)
