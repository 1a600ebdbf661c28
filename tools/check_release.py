"""Check that a release has the same version everywhere.

Run `python -m tools.check_release TAG [FILE ...]` from the root of the clone. The tag, the package, the first section
of the changelog and the citation must agree. The files, if given, must be the two distributions of the release.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from examples.command_line import CommandError, Parser, one_line_errors


def find_faults(root: Path, tag: str, distributions: list[str]) -> list[str]:
    """Return the faults of a release, one line each."""
    version = _search(root / "lightning_comixup" / "__init__.py", r'^__version__ = "(.+)"$')[1]
    section = _search(root / "CHANGELOG.md", r"^## \[(.+?)\](?: - (\S+))?$")
    cited = _search(root / "CITATION.cff", r"^version: (.+)$")[1]
    cited_date = _search(root / "CITATION.cff", r"^date-released: (.+)$")[1]
    faults = []
    if tag != f"v{version}":
        faults.append(f"The tag is {tag}, but the package has the version {version}. Tag the commit v{version}.")
    if section[1] != version:
        faults.append(f'CHANGELOG.md begins with "{section[0]}". It should be "## [{version}] - YYYY-MM-DD".')
    if cited != version:
        faults.append(f"CITATION.cff has the version {cited}. It should be {version}.")
    if cited_date != section[2]:
        faults.append(f"CITATION.cff has the date {cited_date}, but CHANGELOG.md has {section[2]}. Make them the same.")
    expected = {f"lightning_comixup-{version}.tar.gz", f"lightning_comixup-{version}-py3-none-any.whl"}
    names = {Path(path).name for path in distributions}
    if distributions and names != expected:
        faults.append(f"The distributions are {sorted(names)}. They should be {sorted(expected)}.")
    return faults


def _search(path: Path, pattern: str) -> re.Match[str]:
    found = re.search(pattern, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if found is None:
        raise CommandError(f"{path} must have a line that matches {pattern}, found none. Add it.")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Report the faults, and exit with status 1 if there are any."""
    options = parse(arguments)
    with one_line_errors("dev", "Stopped. Nothing was changed."):
        faults = find_faults(Path.cwd(), options.tag, options.distributions)
        if faults:
            sys.exit("\n".join(faults))
        sys.stdout.write(f"{options.tag}: tag, package, changelog and citation agree.\n")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    description = "Check, from the root of the clone, that a release has the same version everywhere."
    parser = Parser(prog="python -m tools.check_release", description=description)
    parser.add_argument("tag", help="tag of the release, such as v1.2.3")
    files_help = "the distributions of the release, in dist/"
    parser.add_argument("distributions", nargs="*", default=[], metavar="file", help=files_help)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
