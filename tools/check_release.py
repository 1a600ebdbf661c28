"""Check that a release has the same version everywhere: `python -m tools.check_release TAG [FILE ...]`, from the root.

The tag, the package, the first section of the changelog and the citation must agree. Files, if given, must be its two
distributions.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def find_faults(root: Path, tag: str, distributions: list[str]) -> list[str]:
    """Return what is wrong with a release, a line each."""
    version = _search(root / "lightning_comixup" / "__init__.py", r'^__version__ = "(.+)"$')[1]
    section = _search(root / "CHANGELOG.md", r"^## \[(.+?)\](?: - (\S+))?$")
    cited = _search(root / "CITATION.cff", r"^version: (.+)$")[1]
    cited_date = _search(root / "CITATION.cff", r"^date-released: (.+)$")[1]
    faults = []
    if tag != f"v{version}":
        faults.append(f"The tag is {tag}, the version of the package {version}: tag the commit v{version}.")
    if section[1] != version:
        faults.append(f'CHANGELOG.md begins with "{section[0]}": it should be "## [{version}] - YYYY-MM-DD".')
    if cited != version:
        faults.append(f"CITATION.cff has the version {cited}: it should be {version}.")
    if cited_date != section[2]:
        faults.append(f"CITATION.cff has the date {cited_date}, CHANGELOG.md {section[2]}: they should be the same.")
    expected = {f"lightning_comixup-{version}.tar.gz", f"lightning_comixup-{version}-py3-none-any.whl"}
    names = {Path(path).name for path in distributions}
    if distributions and names != expected:
        faults.append(f"The distributions are {sorted(names)}: they should be {sorted(expected)}.")
    return faults


def _search(path: Path, pattern: str) -> re.Match[str]:
    found = re.search(pattern, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if found is None:
        raise ValueError(f"{path} has no line {pattern}")
    return found


def main() -> None:
    """Print what is wrong, and end with status 1 if anything is."""
    tag, *distributions = sys.argv[1:]
    faults = find_faults(Path.cwd(), tag, distributions)
    print("\n".join(faults) if faults else f"{tag}: tag, package, changelog and citation agree.")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
