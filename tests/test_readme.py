"""The README in the distributions, rendered as on PyPI, where the repository's files are not next to it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from readme_renderer import markdown

from hatch_build import with_absolute_links
from lightning_comixup import __version__

_ROOT = Path(__file__).parents[1]
_REPOSITORY = "https://github.com/lightning-comixup/lightning-comixup"
_README = with_absolute_links((_ROOT / "README.md").read_text(encoding="utf-8"), _REPOSITORY, __version__)


class _Page(HTMLParser):
    """Collects the addresses and the anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        self.addresses += [values[name] for name in ("href", "src") if name in values]
        candidates = values["srcset"].split(",") if "srcset" in values else []
        self.addresses += [candidate.split()[0] for candidate in candidates]


def _faults(page: _Page) -> list[str]:
    own = {f"#{anchor}" for anchor in page.anchors}
    return [address for address in page.addresses if not address.startswith("https://") and address not in own]


@pytest.fixture(scope="module")
def rendered() -> str:
    """The rendered page. A warning during rendering is an error."""
    page = markdown.render(_README)
    assert page
    return page


def test_every_link_and_picture_leads_somewhere(rendered: str) -> None:
    page = _Page(rendered)
    assert len(page.addresses) > 10
    assert _faults(page) == []


def test_the_sources_of_pictures_are_absolute() -> None:
    """PyPI removes `<source>` from a page. Other viewers do not."""
    without_code = re.sub(r"```.*?```|`[^`\n]+`", "", _README, flags=re.DOTALL)
    tags = re.findall(r"<(?:img|source|picture|a)\b[^>]*>", without_code)
    assert [fault for fault in _faults(_Page("\n".join(tags))) if not fault.startswith("#")] == []


def test_a_picture_for_dark_pages_is_found_outside_the_repository() -> None:
    text = """<picture>
  <source media="(prefers-color-scheme: dark)" srcset="docs/dark.png">
  <source
    srcset="docs/small.png, docs/large.png 2x"
  >
  <img alt="i" src="docs/light.png" srcset="docs/light.png 1x, https://x/y.png 2x">
</picture>
"""
    raw = f"{_REPOSITORY}/raw/v1"
    absolute = with_absolute_links(text, _REPOSITORY, "1")
    dark, small, large, light, again, foreign = _Page(absolute).addresses
    assert [dark, small, large] == [f"{raw}/docs/{name}.png" for name in ("dark", "small", "large")]
    assert light == again == f"{raw}/docs/light.png"
    assert foreign == "https://x/y.png"
    assert f'src="{raw}/docs/light.png"' in (markdown.render(absolute) or "")
