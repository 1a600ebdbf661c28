"""Train on handwritten digits with wrong labels with Co-Mixup, MixUp, CutMix and no mixing, and print a table.

Run `python -m examples.noisy_digits` (extra `examples`), or add `--help` for the options. A share of the training
labels is replaced with random ones, the same for all runs with the same seed. The test labels are correct. Mixing keeps
the network from memorising wrong labels, but also from being sure of anything, which shows in the calibration error.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from examples.command_line import one_line_errors, whole_number
from examples.digits_parts.options import ON_INTERRUPT, add_run_options, make_parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Train all runs and print the table."""
    options = parse(arguments)
    with one_line_errors("examples", ON_INTERRUPT):
        from examples.digits_parts.commands import compare_with_wrong_labels

        compare_with_wrong_labels(options)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    description = "Train on digits with wrong labels with Co-Mixup, MixUp, CutMix and no mixing; print a table."
    parser = make_parser("noisy_digits", description, train_images=400)
    wrong_help = "share of the training labels to replace with random ones"
    parser.add_argument("--wrong-labels", type=share, default=0.4, metavar="SHARE", help=wrong_help)
    parser.add_argument("--steps", type=whole_number(1), default=200, metavar="N", help="steps of each run")
    add_run_options(parser, seeds=10)
    return parser.parse_args(arguments)


def share(text: str) -> float:
    """Convert a number from 0 to 1 for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, found {text!r}")
    return value


if __name__ == "__main__":
    main()
