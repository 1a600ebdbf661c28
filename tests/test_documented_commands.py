"""The shell commands of all pages are run or parsed. The commands of a page share a folder and run in order.

`_WAYS` says how each command is tested, and why it is not run in full. A command that matches no row fails.
"""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.processes import PATIENCE, ROOT, start_python

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("examples/*/README.md"))]
}
_SHELL = r"^```(?:bash|sh|shell|console)\n(.*?)^```"
_FILE = r"`([\w.]+)`:\n\n```\w+\n(.*?)^```"  # a block after a paragraph that ends with the file's name


def _run(words: list[str], folder: Path) -> None:
    """Run a script of the page as written."""
    process = start_python(words[1:], folder)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, f"{shlex.join(words)}\n{out}\n{err}"


def _parse(words: list[str], folder: Path) -> None:
    """Parse the options of a program that has its own `parse`."""
    name = words[2]
    module: Any = importlib.import_module("benchmarks.__main__" if name == "benchmarks" else name)
    module.parse(words[3:])


def _parse_recipe(words: list[str], folder: Path) -> None:
    """Parse the options and files of a recipe. It prints the configuration instead of training."""
    from examples.recipes.cli import run

    arguments = words[3:] if "--help" in words else [*words[3:], "--print_config"]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as stop:
        patch.chdir(ROOT)
        patch.setattr(sys, "argv", ["recipes"])
        patch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # for calls that Lightning makes
        run(arguments)
    assert stop.value.code == 0, shlex.join(words)


def _check_extras(words: list[str], folder: Path) -> None:
    """Check that the extras and the files exist."""
    for word in words:
        for extra in re.findall(r"\[(.+)\]", word) if word.startswith((".[", "lightning-comixup[")) else []:
            assert set(extra.split(",")) <= set(_PROJECT["optional-dependencies"]), shlex.join(words)
        if word.endswith(".txt"):
            assert (ROOT / word).is_file(), shlex.join(words)


def _leave(words: list[str], folder: Path) -> None:
    """Do nothing."""


class Way(NamedTuple):
    """How commands that match a pattern are tested, and why they are not run in full."""

    pattern: str
    do: Callable[[list[str], Path], None]
    why: str


# The first row that matches is used.
_WAYS = (
    Way(r"(python -m )?pip install .*", _check_extras, "it downloads packages"),
    Way(r"python -m examples\.recipes .*", _parse_recipe, "it trains for hours on data that are not there"),
    Way(
        r"python -m (examples\.\w+|benchmarks)( .*)?",
        _parse,
        "it takes minutes; other tests run it in small",
    ),
    Way(r"python -m (pytest|coverage|sphinx) .*|python -m pytest", _leave, "CI runs it; this test is a part of it"),
    Way(r"(ruff|mypy|pre-commit)( .*)?|\.ci/run", _leave, "CI runs it, and it may not be installed"),
    Way(r"python \w+\.py( .*)?", _run, "as it stands"),
)


def _commands(page: str) -> list[str]:
    """Return the commands of a page without comments, split at `&&`, and with variables filled in."""
    found, variables = [], dict[str, str]()
    for block in re.findall(_SHELL, page, flags=re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            for command in re.sub(r"(^|\s)#.*", "", line).split(" && "):
                assignment = re.fullmatch(r'(\w+)="(.*)"', command.strip())
                if assignment:
                    variables[assignment[1]] = assignment[2]
                elif command.strip():
                    found.append(re.sub(r"\$(\w+)", lambda name: variables[name[1]], command.strip()))
    return found


def _find_way(command: str, page: str) -> Way:
    for way in _WAYS:
        if re.fullmatch(way.pattern, command):
            return way
    return pytest.fail(f"{page}: nothing says how to test the command `{command}`. Add a row to _WAYS in {__file__}.")


def _run_page(name: str, page: str, folder: Path) -> None:
    for file, content in re.findall(_FILE, page, flags=re.DOTALL | re.MULTILINE):
        (folder / file).write_text(content, encoding="utf-8")
    for command in _commands(page):
        _find_way(command, name).do(shlex.split(command), folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, page in _PAGES.items() if _commands(page)])
def test_the_commands_of_a_page_work_one_after_the_other(name: str, tmp_path: Path) -> None:
    _run_page(name, _PAGES[name], tmp_path)
    if name == "docs/guides/command_line.md":  # the second command changes one setting
        config = yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8"))
        [callback] = [found for found in config["trainer"]["callbacks"] if "CoMixup" in found["class_path"]]
        assert callback["init_args"]["smoothness"] == 0.48
        assert callback["init_args"]["grid_size"] == [2, 4]


def test_every_command_is_known() -> None:
    commands = [(command, name) for name, page in _PAGES.items() for command in _commands(page)]
    assert len(commands) > 20
    for command, name in commands:
        _find_way(command, name)


def test_an_unknown_command_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"page\.md: nothing says how to test the command `make all`"):
        _run_page("page.md", "```bash\nmake all\n```\n", Path())


def test_an_error_of_a_command_is_seen(tmp_path: Path) -> None:
    page = "`wrong.py`:\n\n```python\nraise SystemExit(3)\n```\n\n```bash\npython wrong.py\n```\n"
    with pytest.raises(AssertionError, match=r"python wrong\.py"):
        _run_page("page.md", page, tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "python -m examples.digits --step x",
        "python -m examples.study --parts letters",
        "python -m examples.recipes fit --config nowhere.yaml",
        'pip install "lightning-comixup[nothing]"',
        "python -m pip install -c nowhere.txt -e .",
    ],
)
def test_a_wrong_option_of_a_command_is_seen(command: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, SystemExit)):
        _run_page("page.md", f"```bash\n{command}\n```\n", tmp_path)


def test_commands_are_read_as_a_shell_reads_them() -> None:
    page = '```bash\nrun="python a.py"\n$run --x 1  # a note\npip install b && $run\n```\n```bash\nc \\\n  d\n```\n'
    assert _commands(page) == ["python a.py --x 1", "pip install b", "python a.py", "c    d"]
