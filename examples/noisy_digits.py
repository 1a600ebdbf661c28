"""Handwritten digits with wrong labels, with Co-Mixup, with CutMix and without mixing: prints a table.

Run `python -m examples.noisy_digits` (extra `examples`), or add `--help` for the options. A share of the training
labels is replaced by random ones, the same for all runs of a seed; the test labels are right. Mixing keeps the network
from learning the wrong ones by heart, and from being sure of anything, which the calibration error counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

import torch
from rich.console import Console
from torch import Tensor
from torch.utils.data import TensorDataset

from examples.digits import FEWEST_IMAGES, STEP_COSTS, Task, add_run_options, train_all, whole_number
from examples.digits_parts.data import CLASSES, IMAGES, Data, load_images, split_images
from examples.digits_parts.results import results_table

_SIDE = 16  # of the enlarged digits: a cell of Co-Mixup's 4 × 4 grid has 4 × 4 pixels


def main(arguments: Sequence[str] | None = None) -> None:
    """Train all runs and print the table."""
    options = parse(arguments)
    console = Console()
    tasks = [Task(setting, seed, options.steps) for seed in range(options.seeds) for setting in STEP_COSTS]
    draw = partial(draw_noisy, options.train_images, options.wrong_labels)
    console.print(results_table(train_all(tasks, draw, options.processes, console)))
    summary = (
        f"Trained on {options.train_images} digits, {options.wrong_labels:.0%} of their labels replaced at random, "
        f"tested on the other {IMAGES - options.train_images}."
    )
    console.print(summary, highlight=False, markup=False, soft_wrap=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.noisy_digits",
        description="Train on digits with wrong labels with Co-Mixup, with CutMix and without; print a table.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    images = whole_number(FEWEST_IMAGES, IMAGES - FEWEST_IMAGES)
    images_help = f"digits to train on; the rest of the {IMAGES} is tested on"
    wrong_help = "share of the training labels replaced by random ones"
    parser.add_argument("--train-images", type=images, default=400, metavar="N", help=images_help)
    parser.add_argument("--wrong-labels", type=share, default=0.4, metavar="SHARE", help=wrong_help)
    parser.add_argument("--steps", type=whole_number(1), default=200, metavar="N", help="steps of each run")
    add_run_options(parser, seeds=10)
    return parser.parse_args(arguments)


def share(text: str) -> float:
    """Convert for argparse: a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, found {text!r}")
    return value


def draw_noisy(train_images: int, wrong_labels: float, seed: int) -> Data:
    """Draw digits to train on, some with wrong labels; all others are tested on, with right ones.

    Args:
        train_images: How many to train on.
        wrong_labels: Share of their labels that is replaced.
        seed: Of all draws.
    """
    images, labels = load_images(_SIDE)
    train, test = split_images(labels, train_images, seed)
    noisy = replace_labels(labels[train], wrong_labels, torch.Generator().manual_seed(seed))
    return Data(TensorDataset(images[train], noisy), TensorDataset(images[test], labels[test]))


def replace_labels(labels: Tensor, share: float, draws: torch.Generator) -> Tensor:
    """Replace a share of the labels by random ones; one in ten of these is right by chance."""
    is_replaced = torch.rand(len(labels), generator=draws) < share
    return torch.where(is_replaced, torch.randint(CLASSES, labels.shape, generator=draws), labels)


if __name__ == "__main__":
    main()
