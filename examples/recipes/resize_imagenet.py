"""Store ImageNet at the sizes of its phases: `python -m examples.recipes.resize_imagenet SOURCE DESTINATION`.

SOURCE contains `train/CLASS/*` and `val/CLASS/*`. For each side, each image is resized to a shorter side of that length
and written to `DESTINATION/SIDE/...`. Existing images stay as they are.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples.command_line import Parser, one_line_errors, whole_number

_SIDES = (160, 352)  # the authors'


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and resize the images."""
    options = parse(arguments)
    on_interrupt = f"Stopped. The images written so far are in {options.destination}. The same command continues."
    with one_line_errors("recipes", on_interrupt):
        from examples.recipes.resizing import resize_all

        resize_all(options.source, options.destination, options.sides, options.workers)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    description = "Store ImageNet at the sizes of its phases."
    parser = Parser(prog="python -m examples.recipes.resize_imagenet", description=description)
    parser.add_argument("source", type=Path, help="folder with train/ and val/, each with one folder per class")
    parser.add_argument("destination", type=Path)
    counts: dict[str, Any] = {"type": whole_number(1), "metavar": "N"}
    parser.add_argument(
        "--sides", nargs="+", default=_SIDES, help="shorter sides in pixels (default: 160 352)", **counts
    )
    parser.add_argument("--workers", default=os.cpu_count() or 1, help="processes (default: one per core)", **counts)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
