"""Options that the commands with digits share."""

from __future__ import annotations

import argparse

from examples.command_line import Parser, whole_number
from examples.digits_parts.sizes import FEWEST_IMAGES, IMAGES

ON_INTERRUPT = "Stopped. Nothing was saved. The same command starts again from the beginning."


def make_parser(name: str, description: str, train_images: int) -> Parser:
    """Return a parser with the number of training images."""
    form = argparse.ArgumentDefaultsHelpFormatter
    parser = Parser(prog=f"python -m examples.{name}", description=description, formatter_class=form)
    images = whole_number(FEWEST_IMAGES, IMAGES - FEWEST_IMAGES)
    images_help = f"number of training digits; the rest of the {IMAGES} are for testing"
    parser.add_argument("--train-images", type=images, default=train_images, metavar="N", help=images_help)
    return parser


def add_run_options(parser: Parser, seeds: int) -> None:
    """Add options for the number of runs and the number of processes."""
    processes_help = "single-threaded processes that share the runs"
    parser.add_argument("--seeds", type=whole_number(1), default=seeds, metavar="N", help="runs per setting")
    parser.add_argument("--processes", type=whole_number(1), default=2, metavar="N", help=processes_help)
