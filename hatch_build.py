"""The README of the distributions. Its links point to the repository, because the linked files are not next to it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# Code stays as it is. A target is relative if it is neither a URL nor a heading on the page.
_CODE = r"(?P<code>```.*?```|`[^`\n]+`)"
_RELATIVE = r"(?P<target>(?!\w+:|#|/)[^)\s\"]+)"
_IMAGE = re.compile(rf"{_CODE}|(?P<start>!\[[^\]]*\]\(){_RELATIVE}", re.DOTALL)
_LINK = re.compile(rf'{_CODE}|(?P<start>\]\(|<a\s[^>]*?href="){_RELATIVE}', re.DOTALL)
# A tag may have both attributes, and `srcset` may list several addresses.
_TAG = re.compile(rf"{_CODE}|<(?:img|source)\s[^>]*>", re.DOTALL)
_ATTRIBUTE = re.compile(r'\ssrc(?:set)?="[^"]*"')
_ADDRESS = re.compile(rf'(?P<start>="\s*|(?<=,)\s+){_RELATIVE}')


def with_absolute_links(text: str, repository: str, version: str) -> str:
    """Return a Markdown text with its relative links pointing to the files of a release, and images to raw files."""

    def lead_to_contents(found: re.Match[str]) -> str:
        return _lead_to(f"{repository}/raw/v{version}", found)

    def complete_tag(found: re.Match[str]) -> str:
        return found["code"] or _ATTRIBUTE.sub(lambda part: _ADDRESS.sub(lead_to_contents, part[0]), found[0])

    text = _TAG.sub(complete_tag, _IMAGE.sub(lead_to_contents, text))
    return _LINK.sub(lambda found: _lead_to(f"{repository}/blob/v{version}", found), text)


def _lead_to(folder: str, found: re.Match[str]) -> str:
    return found.groupdict().get("code") or f"{found['start']}{folder}/{found['target']}"


class ReadmeHook(MetadataHookInterface):
    """Sets the field `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the README to the metadata, which already contain the version."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = with_absolute_links(text, metadata["urls"]["Repository"], metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
