"""The documentation as a site: it works without a network, has typed signatures, formulas and the notebook."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path

import pytest

for package in ("furo", "myst_nb", "sphinx_copybutton", "sphinx_design"):  # from the extra `docs`
    pytest.importorskip(package)

_ROOT = Path(__file__).parents[1]
_REPOSITORY = "https://github.com/lightning-comixup/lightning-comixup"
_ALIASES = ("GridSize", "BatchKey", "AveragedKeys", "SaliencyFunction", "Solver", "CleanLoss")
# Attributes whose contents a browser fetches to show a page. It does not fetch the targets of links.
_FETCHED = {"src", "srcset", "poster", "data"}
_EXTERNAL = re.compile(r"^\s*(?:https?:)?//")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "docs", str(folder)]
    result = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    return folder


class _Addresses(HTMLParser):
    """Collects the addresses of everything that a browser fetches to show a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = _FETCHED | ({"href"} if tag == "link" else set())
        self.found += [value for name, value in attrs if name in names and value]


def _external(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"""(?:url\(|@import\s+)["']?([^"')\s]+)""", text)
    if path.suffix == ".html":
        found += _Addresses(text).found
    yield from (f"{path.name}: {address}" for address in found if _EXTERNAL.search(address))


def _signature(site: Path, name: str) -> str:
    found = re.search(rf'<dt class="sig[^>]*id="lightning_comixup\.{name}">.*?</dt>', _page(site, "api"), re.DOTALL)
    assert found is not None
    return found[0]


def _page(site: Path, name: str) -> str:
    return (site / f"{name}.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_pages_fetch_nothing_from_elsewhere(site: Path) -> None:
    pages = [path for ending in ("html", "css") for path in site.rglob(f"*.{ending}")]
    assert len(pages) > 10
    assert [address for path in pages for address in _external(path)] == []


@pytest.mark.slow
def test_pictures_of_the_pages_are_in_the_site(site: Path) -> None:
    pages = [path for path in site.rglob("*.html") if "_modules" not in path.parts]
    shown = [
        (path, file)
        for path in pages
        for source in _Addresses(path.read_text(encoding="utf-8")).found
        if (file := re.split(r"[?#]", source)[0])
    ]
    assert sum(source.endswith(".webp") for _, source in shown) > 5
    assert [f"{path.name}: {source}" for path, source in shown if not (path.parent / source).is_file()] == []


@pytest.mark.slow
def test_formulas_are_set_by_a_script_of_the_site(site: Path) -> None:
    [script] = [address for address in _Addresses(_page(site, "how_it_works")).found if "mathjax" in address]
    assert (site / script.partition("?")[0]).is_file()


@pytest.mark.slow
def test_signatures_have_types_and_a_line_for_each_argument(site: Path) -> None:
    signature = _signature(site, "CoMixup")
    lines = [unescape(re.sub("<[^>]+>", "", line)) for line in re.findall("<dd>.*?</dd>", signature, re.DOTALL)]
    assert "input_key: BatchKey | None = None," in lines
    assert max(map(len, lines)) < 60
    for alias in _ALIASES:
        assert f'href="#lightning_comixup.{alias}"' in signature
    assert "unary: NDArray[floating]," in re.sub("<[^>]+>", "", _signature(site, "energy"))
    assert "TypeAliasForwardRef" not in _page(site, "api")


@pytest.mark.slow
def test_pages_name_the_version_and_lead_to_their_source(site: Path) -> None:
    page = _page(site, "api")
    assert f'<span class="sidebar-brand-text">lightning-comixup {version("lightning-comixup")}</span>' in page
    assert f'href="{_REPOSITORY}/edit/main/docs/api.md"' in page
    assert f'href="{_REPOSITORY}"' in page


@pytest.mark.slow
def test_code_can_be_copied_and_the_notebook_has_its_picture(site: Path) -> None:
    page = _page(site, "quickstart")
    assert "_static/copybutton.js" in page
    assert re.search(r'<img[^>]*src="_images/\w+\.png"', page)
    assert "Validation accuracy: " in page


@pytest.mark.parametrize(("tag", "hosted", "online"), [(True, False, True), (False, True, True), (False, False, False)])
def test_inventories_are_fetched_only_online(
    tag: bool, hosted: bool, online: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("READTHEDOCS", raising=False)
    if hosted:
        monkeypatch.setenv("READTHEDOCS", "True")
    tags = pytest.importorskip("sphinx.util.tags").Tags(["online"] if tag else [])
    settings = runpy.run_path(str(_ROOT / "docs/conf.py"), init_globals={"tags": tags})
    expected = {"python", "torch", "lightning", "numpy", "torchmetrics"} if online else set()
    assert settings["intersphinx_mapping"].keys() == expected
