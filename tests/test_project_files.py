"""The repository's workflows, hooks and forms refer only to things that exist, and agree with each other."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.check_release import find_faults

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_ROOT = Path(__file__).parents[1]
if not (_ROOT / ".github").exists():
    pytest.skip("a source distribution is without these files", allow_module_level=True)

_PROJECT: dict[str, Any] = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_WORKFLOWS: dict[str, Any] = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (_ROOT / ".github/workflows").iterdir()
}
_JOBS: dict[str, Any] = {
    f"{file}: {name}": job for file, workflow in _WORKFLOWS.items() for name, job in workflow["jobs"].items()
}
_COMMANDS = {
    name: [step["run"].strip() for step in job.get("steps", []) if "run" in step] for name, job in _JOBS.items()
}
_ALL_COMMANDS = [(name, command) for name, commands in _COMMANDS.items() for command in commands]
_CI = (_ROOT / ".ci/run").read_text(encoding="utf-8").replace("\\\n", "")
# pip comes with Python, and looking for it makes older versions of setuptools warn. The workflows install the others.
_INSTALLED = {"pip", "build", "twine"}


def _read(name: str) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


def test_every_named_python_is_tested_on_every_system() -> None:
    matrix = _JOBS["tests.yml: tests"]["strategy"]["matrix"]
    named = [name.rpartition(" ")[2] for name in _PROJECT["classifiers"] if re.search(r":: 3\.\d+$", name)]
    assert matrix["python"] == named
    assert _PROJECT["requires-python"] == f">={named[0]}"
    assert [name.partition("-")[0] for name in matrix["os"]] == ["ubuntu", "macos", "windows"]


def test_linux_runs_the_command_of_the_readme() -> None:
    found = re.search(r"<!-- test-command -->\s*```bash\n(.*?)\n```", _read("README.md"), flags=re.DOTALL)
    steps = _JOBS["tests.yml: tests"]["steps"]
    on_linux = [step["run"] for step in steps if "run" in step and step.get("if") in (None, "runner.os == 'Linux'")]
    assert found is not None
    assert " && ".join(on_linux) == found[1]


def test_the_lowest_versions_are_tested_as_their_file_says() -> None:
    install, run = _COMMANDS["tests.yml: lowest"]
    told = _read("constraints-lowest.txt")
    (settings,) = [step["env"] for step in _JOBS["tests.yml: lowest"]["steps"] if "env" in step]
    (setting,) = [f"{name}={value}" for name, value in settings.items()]
    assert f"# {install.removeprefix('python -m ')}\n" in told
    assert f"# {setting} {run.removeprefix('python -m ')} " in told
    python = _JOBS["tests.yml: lowest"]["steps"][1]["with"]["python-version"]
    assert _PROJECT["requires-python"] == f">={python}"


@pytest.mark.parametrize("job", ["tests.yml: packages", "docs.yml: html"])
def test_packages_and_documentation_are_tested_as_in_ci_run(job: str) -> None:
    """The commands are the same, apart from links to other projects, which need a network."""
    install, *commands = _COMMANDS[job]
    assert "pip install" in install
    assert commands
    for command in commands:
        offline = command.removeprefix("python ").replace(" -t online", "")
        assert " ".join(offline.split()) in " ".join(_CI.split())


@pytest.mark.parametrize(("job", "command"), _ALL_COMMANDS)
def test_everything_a_command_names_exists(job: str, command: str) -> None:
    program, *words = shlex.split(command)
    assert program in ("python", "pre-commit"), job
    if program == "python":
        assert words[0] == "-m"
        assert words[1] in _INSTALLED or find_spec(words[1]) or _is_required(words[1]), words[1]
    for extra in re.findall(r"\.\[(.+?)\]", command):
        assert set(extra.split(",")) <= _PROJECT["optional-dependencies"].keys()
    for word in words:
        path, _, test = word.partition("::")
        if re.search(r"^[\w-]+\.txt$|^tests/|^docs$", path):
            assert (_ROOT / path).exists(), path
            assert not test or f"\ndef {test}(" in _read(path)


def _is_required(name: str) -> bool:
    """Return whether an extra contains a package, which need not be installed here."""
    return any(re.match(rf"{name}\b", line) for extra in _PROJECT["optional-dependencies"].values() for line in extra)


@pytest.mark.parametrize("name", _WORKFLOWS)
def test_workflows_have_time_limits_and_only_read(name: str) -> None:
    assert _WORKFLOWS[name]["permissions"] == {"contents": "read"}
    for job in _WORKFLOWS[name]["jobs"].values():
        assert "uses" in job or job["timeout-minutes"] <= 60
        assert job.get("permissions", {}).keys() <= {"id-token"}


def test_every_workflow_uses_the_same_release_of_an_action() -> None:
    used = {step["uses"] for job in _JOBS.values() for step in job.get("steps", []) if "uses" in step}
    assert all(re.search(r"@(release/)?v\d+$", action) for action in used)
    assert len({action.partition("@")[0] for action in used}) == len(used)


def test_the_hooks_run_the_checks_of_ci_run() -> None:
    hooks = yaml.safe_load(_read(".pre-commit-config.yaml"))["repos"][0]["hooks"]
    told = [line.removesuffix(" .") for line in _CI.splitlines() if re.match("(ruff|mypy)", line)]
    assert [hook["entry"].removesuffix(" --force-exclude") for hook in hooks] == told


def test_the_command_for_versions_in_the_bug_report_works() -> None:
    found = re.search(r"`(python -c .+)`$", _read(".github/ISSUE_TEMPLATE/bug_report.yml"), flags=re.MULTILINE)
    assert found is not None
    _, *arguments = shlex.split(found[1])
    result = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=True)
    told = result.stdout.strip().split(", ")
    assert {f"{name} {version(name)}" for name in ("lightning-comixup", "torch", "lightning", "numba")} <= set(told)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, ""),
        ({"tag": "v1.2.4"}, "Tag the commit v1.2.3"),
        ({"section": "[Unreleased]"}, 'CHANGELOG.md begins with "## [Unreleased]"'),
        ({"cited": "1.2.2"}, "CITATION.cff has the version 1.2.2"),
        ({"date": "2026-01-02"}, "CITATION.cff has the date 2026-01-02"),
        ({"file": "lightning_comixup-1.2.2.tar.gz"}, "The distributions are"),
    ],
)
def test_a_release_has_one_version(changed: dict[str, str], fault: str, tmp_path: Path) -> None:
    release = {"tag": "v1.2.3", "section": "[1.2.3] - 2026-01-01", "cited": "1.2.3", "date": "2026-01-01"}
    release |= {"file": "lightning_comixup-1.2.3.tar.gz"} | changed
    (tmp_path / "lightning_comixup").mkdir()
    (tmp_path / "lightning_comixup" / "__init__.py").write_text('__version__ = "1.2.3"\n', encoding="utf-8")
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## {release['section']}\n", encoding="utf-8")
    citation = f"version: {release['cited']}\ndate-released: {release['date']}\n"
    (tmp_path / "CITATION.cff").write_text(citation, encoding="utf-8")
    files = [f"dist/{release['file']}", "dist/lightning_comixup-1.2.3-py3-none-any.whl"]
    faults = find_faults(tmp_path, release["tag"], files)
    assert fault in faults[0] if fault else not faults
