"""The line that a message names: the user's, even if the call comes from an installed package."""

from __future__ import annotations

import importlib.util
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_comixup import CoMixup
from lightning_comixup.training.call_origin import is_called_by_us, is_raised_by_us, users_line
from tests.training.planted import last_line

_PACKAGE = """
import lightning.pytorch as pl
import torch


def call(function):
    return function()


class Module(pl.LightningModule):
    def __init__(self, function):
        super().__init__()
        self.layer, self.function = torch.nn.Linear(1, 1), function

    def training_step(self, batch, batch_idx):
        self.found = call(self.function)
        return self.layer(batch[0]).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)
"""
_LINE_OF_CALL = 7


class _Failing(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return torch.nn.functional.linear(inputs, torch.ones(7, 7))


@pytest.fixture
def installed(tmp_path: Path) -> Any:
    """Return a package that seems to be installed in `site-packages`."""
    path = tmp_path / "site-packages" / "installed.py"
    path.parent.mkdir()
    path.write_text(_PACKAGE)
    spec = importlib.util.spec_from_file_location("installed", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_line_of_a_user() -> None:
    def here() -> str:
        return users_line()

    assert here() == last_line(here)
    assert not is_called_by_us()


def test_the_line_of_a_user_in_an_error() -> None:
    with pytest.raises(RuntimeError) as raised:
        _Failing()(torch.ones(2, 3))
    assert users_line(raised.value) == last_line(_Failing.forward)
    assert not is_raised_by_us(raised.value)


def test_a_call_from_an_installed_package_has_both_lines(installed: Any) -> None:
    def here() -> str:
        return str(installed.call(users_line))

    assert here() == f"{last_line(here)} (through {installed.__file__}:{_LINE_OF_CALL})"


def test_a_call_from_the_standard_library_has_only_the_users_line() -> None:
    def here() -> Any:
        return contextmanager(users_line)().gen  # type: ignore[arg-type]

    assert here() == last_line(here)


def test_an_installed_module_has_its_own_line(installed: Any) -> None:
    module = installed.Module(users_line)
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(TensorDataset(torch.ones(1, 1))))
    assert module.found == f"{installed.__file__}:{_LINE_OF_CALL}"


def test_an_error_of_this_package_is_recognised() -> None:
    with pytest.raises(ValueError, match="found 0") as raised:
        CoMixup(partition_size=0)
    assert is_raised_by_us(raised.value)
