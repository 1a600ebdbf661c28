"""What Co-Mixup does to photographs: beside MixUp and CutMix, step by step, and by each hyper-parameter, as figures.

Run `python -m examples.gallery` (extra `gallery`), or add `--folder`. Six photographs that ship with scikit-image and
scikit-learn are mixed as one group by the saliency of a network trained on ImageNet, whose weights ship in a package:
nothing is downloaded, and every run on the same versions draws the same figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from examples.command_line import Parser, one_line_errors

_FOLDER = Path(__file__).with_name("gallery")


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw all figures."""
    options = parse(arguments)
    on_interrupt = f"Stopped. The figures that were written are kept in {options.folder}; the same command draws all."
    with one_line_errors("gallery", on_interrupt):
        from examples.gallery_parts.figures import draw_gallery

        draw_gallery(options)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = Parser(prog="python -m examples.gallery", description="Draw the figures of the gallery.")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="where to write them (default: beside this file)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
