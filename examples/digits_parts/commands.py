"""The commands of the examples with digits."""

from __future__ import annotations

import argparse
from functools import partial

from rich.console import Console

from examples.digits_parts.data import draw_canvases, draw_data
from examples.digits_parts.noise import draw_noisy
from examples.digits_parts.picture import draw_picture
from examples.digits_parts.results import results_table
from examples.digits_parts.sizes import IMAGES
from examples.digits_parts.training import COMIXUP, STEP_COSTS, Task, load_network, plan_equal_time, train_all


def compare_on_clutter(options: argparse.Namespace) -> None:
    """Train all runs of `examples.digits`, print the table and draw the picture."""
    console = Console()
    tasks = plan_equal_time(options.seeds, options.steps)
    runs = train_all(tasks, partial(draw_data, options.train_images), options.processes, console)
    console.print(results_table(runs))
    shown = next(run for run in runs if run.setting == COMIXUP)
    canvases, _ = draw_canvases(options.train_images, shown.seed)
    draw_picture(load_network(shown), canvases, options.picture)
    summary = (
        f"Trained on {options.train_images} digits and tested on the other {IMAGES - options.train_images}. Each run "
        f"took as long as {options.steps:,} steps without mixing. Picture: {options.picture}"
    )
    console.print(summary, highlight=False, markup=False, soft_wrap=True)


def compare_with_wrong_labels(options: argparse.Namespace) -> None:
    """Train all runs of `examples.noisy_digits` and print the table."""
    console = Console()
    tasks = [Task(setting, seed, options.steps) for seed in range(options.seeds) for setting in STEP_COSTS]
    draw = partial(draw_noisy, options.train_images, options.wrong_labels)
    console.print(results_table(train_all(tasks, draw, options.processes, console)))
    summary = (
        f"Trained on {options.train_images} digits, with {options.wrong_labels:.0%} of their labels replaced at "
        f"random, and tested on the other {IMAGES - options.train_images}."
    )
    console.print(summary, highlight=False, markup=False, soft_wrap=True)
