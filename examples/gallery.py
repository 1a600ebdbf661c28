"""Draw figures of Co-Mixup on photographs: next to MixUp and CutMix, step by step, and for each hyper-parameter.

Run `python -m examples.gallery` (extra `gallery`), or add `--folder`. It mixes six photographs as one group, with the
saliency of a network trained on ImageNet. The photographs come with scikit-image and scikit-learn, and the weights with
another package. Nothing is downloaded, and every run with the same versions draws the same figures.
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
    on_interrupt = f"Stopped. The figures drawn so far are in {options.folder}. The same command draws all figures."
    with one_line_errors("gallery", on_interrupt):
        from examples.gallery_parts.figures import draw_gallery

        draw_gallery(options)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = Parser(prog="python -m examples.gallery", description="Draw the figures of the gallery.")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="folder for figures (default: examples/gallery)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
