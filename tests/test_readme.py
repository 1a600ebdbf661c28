"""The README's Python blocks run, one after another, each in a fresh namespace and folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_README = Path(__file__).parents[1] / "README.md"
_BLOCKS = re.findall(r"```python\n(.*?)```", _README.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_there_are_blocks() -> None:
    assert len(_BLOCKS) >= 2


@pytest.mark.parametrize("number", range(len(_BLOCKS)))
def test_block_runs(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(_BLOCKS[number], f"README block {number}", "exec"), {"__name__": "readme"})


def test_every_hyperparameter_is_in_the_table() -> None:
    from dataclasses import fields

    from lightning_comixup.hyperparameters import Hyperparameters

    rows = re.findall(r"^\| `(\w+)` \|.*?\| `([^`]+)` \|$", _README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    defaults = dict(rows)
    for field in fields(Hyperparameters):
        assert defaults.get(field.name) == repr(field.default).replace("'", '"'), field.name


def test_every_argument_of_the_callback_is_named() -> None:
    import inspect

    from lightning_comixup import CoMixup

    named = set(re.findall(r"`(\w+)`", _README.read_text(encoding="utf-8")))
    assert set(inspect.signature(CoMixup).parameters) <= named
