"""The recipes' README names every configuration, and only files that exist."""

from __future__ import annotations

from pathlib import Path

from tests.recipes.layouts import CONFIGS

_README = (CONFIGS.parent / "README.md").read_text(encoding="utf-8")


def test_every_configuration_is_named() -> None:
    names = {path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml")}
    assert len(names) == 12
    assert {name for name in names if f"`{name}`" not in _README} == set()


def test_every_file_that_is_named_exists() -> None:
    words = _README.replace("`", " ").replace('"', " ").split()
    paths = [Path(word) for word in words if word.startswith("examples/recipes/")]
    assert paths
    assert [path for path in paths if not (CONFIGS.parents[2] / path).exists()] == []
