"""The Python blocks of the README and the documentation run, and the tables list everything that exists."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from lightning_comixup import CoMixup
from lightning_comixup.hyperparameters import Hyperparameters

_ROOT = Path(__file__).parents[1]
_README = (_ROOT / "README.md").read_text(encoding="utf-8")
_PAGES = {path.relative_to(_ROOT).as_posix(): path for path in sorted((_ROOT / "docs").rglob("*.md"))}
_ARGUMENTS = _PAGES["docs/hyperparameters.md"].read_text(encoding="utf-8")
_LONGEST_README = 150  # lines: about two minutes of reading


def _blocks(text: str, language: str = "python") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


# Each block of the README stands alone. On a page of the documentation, each block continues from the one before it.
_SCRIPTS = {f"README.md, block {number}": block for number, block in enumerate(_blocks(_README))}
_SCRIPTS |= {name: "\n".join(_blocks(path.read_text(encoding="utf-8"))) for name, path in _PAGES.items()}


def _run(name: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "documentation"}
    exec(compile(_SCRIPTS[name], name, "exec"), namespace)
    return namespace


def test_there_are_blocks() -> None:
    assert len(_blocks(_README)) == 1
    assert sum(bool(script) for name, script in _SCRIPTS.items() if name in _PAGES) >= 6


# The block of "I use timm and W&B" needs these packages, so it runs in `tests/packages/test_documentation.py`.
@pytest.mark.parametrize("name", [name for name, script in _SCRIPTS.items() if script and "import timm" not in script])
def test_blocks_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _run(name)


def test_the_readme_is_short() -> None:
    assert len(_README.splitlines()) <= _LONGEST_README


def test_every_page_is_reached() -> None:
    index = _PAGES["docs/index.md"].read_text(encoding="utf-8")
    listed = [line for tree in _blocks(index, r"\{toctree\}") for line in tree.split("\n\n")[1].split()]
    pages = [*_PAGES, *(path.relative_to(_ROOT).as_posix() for path in (_ROOT / "docs").glob("*.ipynb"))]
    assert sorted([*listed, "index"]) == sorted(name[len("docs/") :].rpartition(".")[0] for name in pages)


def test_every_hyperparameter_is_in_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*?\| `([^`]+)` \|$", _ARGUMENTS, flags=re.MULTILINE)
    defaults = dict(rows)
    for field in fields(Hyperparameters):
        assert defaults.get(field.name) == repr(field.default).replace("'", '"'), field.name


def test_each_hyperparameter_is_explained() -> None:
    page = _PAGES["docs/hyperparameters.md"].read_text(encoding="utf-8").split("## Reading it")[1]
    told = set(re.findall(r"\*\*`(\w+)`\*\*", page))
    assert told == {field.name for field in fields(Hyperparameters)} - {"solver", "resolve_duplicates"}


def test_every_argument_of_the_callback_is_named() -> None:
    named = set(re.findall(r"`(\w+)`", _ARGUMENTS))
    assert set(inspect.signature(CoMixup).parameters) <= named


def test_every_module_has_its_place_in_the_architecture() -> None:
    text = _PAGES["docs/contributing.md"].read_text(encoding="utf-8")
    architecture = text[text.index("## Architecture") : text.index("## Adding a solver")]
    package = _ROOT / "lightning_comixup"
    modules = {path.stem for path in package.rglob("*.py") if path.stem != "__init__"}
    assert modules - set(re.findall(r"\w+", architecture)) == set()
