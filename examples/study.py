"""Co-Mixup against no mixing, MixUp and CutMix: accuracy, calibration error and log-loss against compute.

Run `python -m examples.study` (extras `examples`, `cells` and, for the authors' cuts, `pygco`), or add `--help`. Each
run trains one network on few labels; a line of `results.csv` is written as it ends, so that a study goes on where it
was interrupted. The runs of a seed share images, initial weights, order and augmentation.

A budget is the time of so many epochs of plain training. Each method trains for as many steps as take this time, by
the cost of its step in plain steps, which is measured first (`costs.csv`).
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from examples.digits import whole_number
from examples.study_parts.costs import measure_cost
from examples.study_parts.data import DEBIAN_FOLDER, missing_data
from examples.study_parts.figure import draw_figure
from examples.study_parts.methods import METHODS, TUNED, missing_code
from examples.study_parts.network import RESNET18, SMALL
from examples.study_parts.plan import (
    REAL_SIZE,
    SETTINGS,
    Cost,
    Result,
    Wish,
    chosen_methods,
    cost_like,
    places,
    plan_runs,
    unfinished,
)
from examples.study_parts.recipes import RECIPES
from examples.study_parts.records import append_record, lock_folder, read_records
from examples.study_parts.summary import summarise
from examples.study_parts.table import NOTE, make_table, write_markdown
from examples.study_parts.training import CPU
from examples.study_parts.tuning import Tried, plan_trials, try_rates
from examples.study_parts.work import do_run, spread

RESULTS, COSTS, TUNING = "results.csv", "costs.csv", "tuning.csv"
TABLE, FIGURE = "table.md", "study.png"
_WIDTH = 150  # characters: a table's row stays one line, in files too
_HOUR = 3600

R = TypeVar("R", bound=NamedTuple)
Task = TypeVar("Task")


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what is left of the study and report on it."""
    options = parse(arguments)
    console = Console(width=_WIDTH)
    options.output.mkdir(parents=True, exist_ok=True)
    if not options.table_only:
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            with lock_folder(options.output):
                (tune if options.tune else run_study)(options, console)
        except KeyboardInterrupt:
            console.print(f"Stopped. All runs that had ended are kept in {options.output}; the same command goes on.")
            sys.exit(128 + signal.SIGINT)
    report(options.output, console)


def report(folder: Path, console: Console) -> None:
    """Print the table of all results in a folder, write it for a page and draw the figure."""
    results = read_records(folder / RESULTS, Result)
    if not results:
        console.print(f"No results in {folder} yet.")
        return
    summaries = summarise(results)
    console.print(make_table(summaries))
    console.print(NOTE)
    (folder / TABLE).write_text(f"{write_markdown(summaries)}\n{NOTE}\n", encoding="utf-8")
    draw_figure(summaries, folder / FIGURE)
    hours = sum(result.seconds for result in results) / _HOUR
    console.print(f"{len(results)} runs, {hours:.2f} hours of training. Figure: {folder / FIGURE}")


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.study",
        description="Compare Co-Mixup with other mixing at equal time; go on where a study was left.",
    )
    counts: dict[str, Any] = {"type": whole_number(1), "metavar": "N"}
    own = "(default: each method's own)"
    parts = list(dict.fromkeys(setting.part for setting in SETTINGS))
    parser.add_argument("--parts", nargs="+", choices=list(RECIPES), default=parts, help="tasks (default: all but one)")
    parser.add_argument("--labels", nargs="+", **counts, help="numbers of labels (default: all)")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), metavar="NAME", help="(default: all)")
    parser.add_argument("--budgets", nargs="+", **counts, help=f"times of {SETTINGS[0].epochs} plain epochs {own}")
    parser.add_argument("--seeds", **counts, help=f"runs of each kind {own}")
    parser.add_argument("--network", choices=[SMALL, RESNET18], default=SMALL, help="(default: %(default)s)")
    parser.add_argument("--accelerator", choices=[CPU, "gpu"], default=CPU, help="(default: %(default)s)")
    parser.add_argument("--processes", default=1, **counts, help="of one thread each (default: 1)")
    parser.add_argument("--limit-hours", type=float, default=float("inf"), metavar="H", help="begin no run after them")
    parser.add_argument("--fashion", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER", help="of its IDX files")
    parser.add_argument("--output", type=Path, default=Path("study"), metavar="FOLDER", help="of all files")
    parser.add_argument("--table-only", action="store_true", help="train nothing; print and draw what is there")
    parser.add_argument("--tune", action="store_true", help="try the rates of training without mixing instead")
    return parser.parse_args(arguments)


def choose(options: argparse.Namespace, console: Console) -> Wish:
    """Return what is asked for and at hand; say what is left out."""
    needs = {part: missing_data(part, options.fashion) for part in options.parts}
    methods = options.methods or list(METHODS)
    needs |= {method: missing_code(method) for method in methods}
    if TUNED in methods and not all(RECIPES[part].tuned for part in options.parts):
        needs[TUNED] = "rates in recipes.py (--tune)"
    for name, need in needs.items():
        if need:
            console.print(f"Left out: {name}. It needs {need}.", highlight=False, soft_wrap=True)
    settings = tuple(
        setting
        for setting in (*SETTINGS, REAL_SIZE)
        if setting.part in options.parts and not needs[setting.part]
        if options.labels is None or setting.labels in options.labels
    )
    return Wish(settings, [m for m in methods if not needs[m]], options.budgets, options.seeds, options.network)


def run_study(options: argparse.Namespace, console: Console) -> None:
    """Measure what costs are missing, then do the runs that are missing."""
    wish = choose(options, console)
    end = time.monotonic() + options.limit_hours * _HOUR
    costs_path, results_path = options.output / COSTS, options.output / RESULTS
    known = {cost[:3] for cost in read_records(costs_path, Cost)}
    unknown = [(part, method) for part, method in places(wish) if (part, wish.network, method) not in known]
    found = {"network": wish.network, "accelerator": options.accelerator, "folder": options.fashion}
    _record(partial(_measure_cost, **found), unknown, costs_path, options, console, end)
    costs = {cost[:3:2]: cost for cost in read_records(costs_path, Cost) if cost.network == wish.network}
    if not set(places(wish)) <= set(costs):
        return  # the time was over
    ratios = {place: cost.ratio for place, cost in costs.items()}
    left = unfinished(plan_runs(wish, ratios), read_records(results_path, Result))
    hours = sum(run.steps * costs[run.part, cost_like(run.method)].milliseconds for run in left) / 1000 / _HOUR
    console.print(f"{len(left)} runs of {len(chosen_methods(wish))} methods are left: about {hours:.2f} hours.")
    _record(
        partial(do_run, folder=options.fashion, accelerator=options.accelerator),
        left,
        results_path,
        options,
        console,
        end,
    )


def _measure_cost(place: tuple[str, str], network: str, accelerator: str, folder: Path) -> Cost:
    return measure_cost(*place, network, accelerator, folder)


def tune(options: argparse.Namespace, console: Console) -> None:
    """Do the trials that are missing."""
    path = options.output / TUNING
    done = {tried[:6] for tried in read_records(path, Tried)}
    trials = [trial for trial in plan_trials(choose(options, console).settings) if trial[:6] not in done]
    end = time.monotonic() + options.limit_hours * _HOUR
    _record(partial(try_rates, folder=options.fashion), trials, path, options, console, end)


def _record(
    work: Callable[[Task], R],
    tasks: Sequence[Task],
    path: Path,
    options: argparse.Namespace,
    console: Console,
    end: float,
) -> None:
    """Do tasks and write a line of each as it ends."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} of {task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, refresh_per_second=1) as progress:
        bar = progress.add_task(path.stem, total=len(tasks))
        with closing(spread(work, tasks, options.processes, end)) as found:
            for record in found:
                append_record(path, record)
                progress.advance(bar)


if __name__ == "__main__":
    main()
