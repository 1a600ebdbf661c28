"""Every program's command line: immediate help, and one-line errors for wrong options, missing packages and files."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from examples.recipes.__main__ import COMMANDS, FAMILIES
from tests.processes import PATIENCE, RECIPE, ROOT, start_python

_HEAVY = ("torch", "lightning", "numpy", "sklearn", "matplotlib", "PIL", "lightning_comixup")
_MOST_SECONDS = 1.0  # of processor time, for an answer that does not need a heavy import
# Runs a program and lists the heavy packages that it imported.
_WATCHED = """
import runpy, sys
name, heavy, *sys.argv[1:] = sys.argv[1:]
try:
    runpy.run_module(name, run_name="__main__", alter_sys=True)
finally:
    sys.stderr.write("imported: " + " ".join(sorted(set(heavy.split()) & set(sys.modules))) + "\\n")
"""


class Program(NamedTuple):
    """A program, its wrong and right options, the module that does its work, and the extras that it needs."""

    name: str
    wrong: tuple[str, ...]
    right: tuple[str, ...]
    work: str
    extras: str


PROGRAMS = (
    Program("examples.digits", ("--steps", "0"), (), "examples.digits_parts.commands", "examples"),
    Program("examples.noisy_digits", ("--wrong-labels", "2"), (), "examples.digits_parts.commands", "examples"),
    Program(
        "examples.study",
        ("--methods", "mixing"),
        ("--parts", "digits", "--methods", "none"),
        "examples.study_parts.commands",
        "examples",
    ),
    Program("examples.gallery", ("--files", "x"), ("--folder", "figures"), "examples.gallery_parts.figures", "gallery"),
    Program(
        "examples.evaluate",
        ("--bins", "x"),
        ("--module", "a.b", "--checkpoint", __file__, "--data", "a.c", "--data.batch_size", "3"),
        "examples.evaluation.evaluation",
        "examples",
    ),
    Program("examples.recipes", ("fat",), ("fit", "--config", RECIPE), "examples.recipes.cli", "recipes"),
    Program("examples.recipes.arrange_tiny_imagenet", (), ("nowhere",), "", ""),
    Program(
        "examples.recipes.resize_imagenet",
        ("nowhere", "there", "--workers", "0"),
        ("nowhere", "there"),
        "examples.recipes.resizing",
        "recipes",
    ),
    Program("benchmarks", ("--reference", "nowhere"), (), "benchmarks.run", "examples,pygco"),
    Program("tools.check_release", (), ("v0.0.0",), "", ""),
)
_each_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)


def _answer(program: Program, arguments: Sequence[str], folder: Path) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of a program that must answer without any heavy import."""
    before = os.times()
    process = start_python(["-c", _WATCHED, program.name, " ".join(_HEAVY), *arguments], folder)
    out, err = process.communicate(timeout=PATIENCE)
    after = os.times()
    *lines, imported = err.splitlines(keepends=True)
    assert imported == "imported: \n"
    assert after.children_user + after.children_system - before.children_user - before.children_system < _MOST_SECONDS
    return process.returncode, out, "".join(lines)


def test_every_program_is_here() -> None:
    files = [path for folder in ("examples", "benchmarks", "tools") for path in (ROOT / folder).rglob("*.py")]
    found = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
        for path in files
        if re.search(r'^if __name__ == "__main__":$', path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert found == {program.name for program in PROGRAMS}


@_each_program
def test_help_is_there_at_once(program: Program, tmp_path: Path) -> None:
    code, out, err = _answer(program, ["--help"], tmp_path)
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: python -m {program.name} ")


@_each_program
def test_a_wrong_option_is_answered_at_once_in_one_line(program: Program, tmp_path: Path) -> None:
    code, out, err = _answer(program, program.wrong, tmp_path)
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"python -m {program.name}: error: .+\. See --help\.\n", err)


@pytest.mark.parametrize("program", [program for program in PROGRAMS if program.work], ids=lambda program: program.name)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, program.work, None)  # importing it fails, as if it were not installed
    module: Any = importlib.import_module(f"{program.name}.__main__" if program.name in _PACKAGES else program.name)
    monkeypatch.setattr(sys, "argv", [program.name, *program.right])
    with pytest.raises(SystemExit) as stop:
        module.main()
    assert stop.value.code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(f'Install it from the root of the clone: python -m pip install -e ".[{program.extras}]"')


_PACKAGES = ("examples.recipes", "benchmarks")


@pytest.mark.parametrize(
    ("name", "arguments", "line"),
    [
        ("examples.recipes.arrange_tiny_imagenet", "nowhere", "The folder must contain val/val_annotations.txt"),
        ("examples.recipes.resize_imagenet", "nowhere there", "nowhere must contain train/CLASS/IMAGE"),
        (
            "examples.evaluate",
            "--module a.b --data a.c --checkpoint nowhere",
            "--checkpoint must name a file, found none at nowhere",
        ),
        ("examples.study", "--parts fashion --fashion nowhere", 'Nothing can be run: "fashion" needs Fashion-MNIST'),
        ("examples.study", "--table-only --output nowhere", "There must be results to print, found none in nowhere."),
        ("tools.check_release", "v0.0.0", "lightning_comixup"),
    ],
)
def test_missing_files_are_one_line(name: str, arguments: str, line: str, tmp_path: Path) -> None:
    process = start_python(["-m", name, *arguments.split()], tmp_path)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (1, "")
    assert err.startswith(f"error: {line}" if name != "tools.check_release" else "error: ")
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_recipe_answers_at_once(command: str, tmp_path: Path) -> None:
    recipes = next(program for program in PROGRAMS if program.name == "examples.recipes")
    code, out, err = _answer(recipes, [command, "--help"], tmp_path)
    assert (code, err) == (0, "")
    assert "--help-all" in out
    code, out, err = _answer(recipes, [command], tmp_path)
    assert (code, out) == (2, "")
    assert "a recipe must be given by --config FILE" in err
    code, out, err = _answer(recipes, [command, "--config", RECIPE, "--modle.network.width", "3"], tmp_path)
    assert (code, out) == (2, "")
    assert "an option must begin with --model, found --modle.network.width." in err
    code, out, err = _answer(recipes, [command, "--config", RECIPE, "--images", "3"], tmp_path)
    assert (code, out) == (2, "")
    assert re.fullmatch(
        r"python -m examples\.recipes: error: an option must begin with one of .+--data, .+, found --images\."
        r" See --help\.\n",
        err,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_recipe_lists_all_options(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They begin with the names that are allowed before Lightning is imported."""
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # for calls that Lightning makes
    monkeypatch.setattr(sys, "argv", ["recipes", command, "--help-all"])
    with pytest.raises(SystemExit) as stop:
        importlib.import_module("examples.recipes.__main__").main()
    assert stop.value.code == 0
    found = set(re.findall(r"^  (?:-\w[^-]*)?--(\w+)", capsys.readouterr().out, re.MULTILINE))
    allowed = set(FAMILIES) - ({"verbose"} if command in ("fit", "predict") else set())
    found |= {"weights_only"}  # which Lightning 2.5 lacks
    assert found == allowed - (set() if command == "predict" else {"return_predictions"})


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--config", RECIPE, "--mixing", "mixing"), "examples.recipes fit: error: .*mixing"),
        (("--config", RECIPE, "--comixup.alpha", "-1"), "examples.recipes: error: alpha must be a finite number"),
    ],
)
def test_a_wrong_option_of_a_recipe_is_one_line(arguments: tuple[str, ...], line: str, tmp_path: Path) -> None:
    process = start_python(["-m", "examples.recipes", "fit", *arguments], tmp_path)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    [found] = [line for line in err.splitlines() if not line.startswith("Seed set to")]
    assert re.match(rf"python -m {line}", found)
