"""Train on digits in photographs with Co-Mixup, MixUp, CutMix and no mixing; print a table and draw a picture.

Run `python -m examples.digits` (extra `examples`), or add `--help` for the options. Handwritten digits on small plates
are at random places of photographs, among scraps of other plates. A small network trains until it fits its few labels,
which are all correct. Runs with the same seed share the images, their order, the initial weights and the training time.

CutMix cuts and pastes anywhere, so a target often names a digit that is not in the image. MixUp fades every digit into
another photograph. Co-Mixup uses the network's own saliency and keeps the plates whole.

This file only reads the options. The network and its training are in `digits_parts/training.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from examples.command_line import one_line_errors, whole_number
from examples.digits_parts.options import ON_INTERRUPT, add_run_options, make_parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Train all runs, print the table and draw the picture."""
    options = parse(arguments)
    with one_line_errors("examples", ON_INTERRUPT):
        from examples.digits_parts.commands import compare_on_clutter

        compare_on_clutter(options)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    description = "Train on digits in photographs with Co-Mixup, MixUp, CutMix and no mixing; print a table."
    parser = make_parser("digits", description, train_images=500)
    parser.add_argument("--picture", type=picture_path, default="digits.png", metavar="PATH", help="PNG file to write")
    add_run_options(parser, seeds=3)
    steps_help = "steps of each run without mixing; all other runs take the same time"
    parser.add_argument("--steps", type=whole_number(1), default=1600, metavar="N", help=steps_help)
    return parser.parse_args(arguments)


def picture_path(text: str) -> Path:
    """Convert a path for argparse. A bad path is an error before the training rather than after it."""
    path = Path(text)
    if path.suffix.lower() != ".png" or not path.parent.is_dir() or path.is_dir():
        raise argparse.ArgumentTypeError(f"must be a file name ending in .png in an existing folder, found {text!r}")
    return path


if __name__ == "__main__":
    main()
