"""Co-Mixup against no mixing, MixUp and CutMix, and against the authors' own cuts, at equal epochs and at equal time.

Run `python -m examples.study` (extras `examples` and, for the authors' cuts, `pygco`), or add `--help`. Each run
trains one network on few labels of scikit-learn's digits or of Fashion-MNIST; a line of `results.csv` is written as it
ends, so that a study goes on where it was interrupted. The runs of a seed share images, initial weights and order.

Equal epochs: all methods train for as many. Equal time: each for as many as take Co-Mixup's time, by the cost of an
epoch, which short runs measure first (`costs.csv`). Times are the processor's, in processes of one thread.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from examples.digits import whole_number
from examples.study_parts.data import DEBIAN_FOLDER, has_fashion
from examples.study_parts.figure import draw_figure
from examples.study_parts.methods import has_authors_cuts
from examples.study_parts.plan import SETTINGS, Cost, Result, Setting, place_of, places, plan_runs, unfinished
from examples.study_parts.recipes import RECIPES
from examples.study_parts.records import append_record, read_records
from examples.study_parts.summary import summarise
from examples.study_parts.table import NOTE, make_tables
from examples.study_parts.work import calibrate, measure, spread

RESULTS, COSTS, FIGURE = "results.csv", "costs.csv", "study.png"
_WIDTH = 132  # characters: a table's row stays one line, in files too


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what is left of the study, print its tables and draw its figure."""
    options = parse(arguments)
    console = Console(width=_WIDTH)
    options.output.mkdir(parents=True, exist_ok=True)
    if not options.table_only:
        run_study(choose_settings(options, console), options, console)
    report(options.output, console)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.study",
        description="Compare Co-Mixup with other mixing and with the authors' cuts; go on where a study was left.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    fashion_help = "folder of Fashion-MNIST's four IDX files, gzipped or not"
    processes_help = "processes of one thread that the runs are spread over"
    parser.add_argument("--parts", nargs="+", choices=list(RECIPES), default=list(RECIPES), help="data sets")
    parser.add_argument("--seeds", type=whole_number(1), default=3, metavar="N", help="runs of each kind")
    parser.add_argument("--processes", type=whole_number(1), default=1, metavar="N", help=processes_help)
    parser.add_argument("--fashion", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER", help=fashion_help)
    parser.add_argument("--output", type=Path, default=Path("study"), metavar="FOLDER", help="folder of all files")
    parser.add_argument("--table-only", action="store_true", help="train nothing; print and draw what is there")
    return parser.parse_args(arguments)


def choose_settings(options: argparse.Namespace, console: Console) -> list[Setting]:
    """Return the settings whose data and whose methods are at hand; say what is not."""
    settings = [setting for setting in SETTINGS if setting.part in options.parts]
    if "fashion" in options.parts and not has_fashion(options.fashion):
        console.print(f"No Fashion-MNIST in {options.fashion}: left out. Its IDX files can be elsewhere: --fashion.")
        settings = [setting for setting in settings if setting.part != "fashion"]
    if not has_authors_cuts():
        console.print("The authors' cuts are not installed (extra pygco): left out.")
        settings = [replace(setting, has_authors_cuts=False) for setting in settings]
    return settings


def run_study(settings: Sequence[Setting], options: argparse.Namespace, console: Console) -> None:
    """Measure what costs are missing, then do the runs that are missing, those that take longest first."""
    costs_path, results_path = options.output / COSTS, options.output / RESULTS
    columns = (TextColumn("{task.description:12}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        known = {place_of(cost) for cost in read_records(costs_path, Cost)}
        unknown = [place for place in places(settings) if place not in known]
        bar = progress.add_task("costs", total=len(unknown))
        with closing(spread(partial(calibrate, folder=options.fashion), unknown, options.processes)) as found_costs:
            for cost in found_costs:
                append_record(costs_path, cost)
                progress.advance(bar)
        costs = read_records(costs_path, Cost)
        seconds = {place_of(cost): cost.epoch_seconds for cost in costs}
        left = unfinished(plan_runs(settings, costs, options.seeds), read_records(results_path, Result))
        left.sort(key=lambda run: -run.epochs * seconds[place_of(run)])
        bar = progress.add_task("runs", total=sum(run.epochs * seconds[place_of(run)] for run in left))
        with closing(spread(partial(measure, folder=options.fashion), left, options.processes)) as found_results:
            for result in found_results:
                append_record(results_path, result)
                progress.advance(bar, result.epochs * seconds[place_of(result)])


def report(folder: Path, console: Console) -> None:
    """Print the tables and draw the figure of all results in a folder."""
    results = read_records(folder / RESULTS, Result)
    if not results:
        console.print(f"No results in {folder} yet.")
        return
    summaries = summarise(results)
    for table in make_tables(summaries):
        console.print(table)
    draw_figure(summaries, folder / FIGURE)
    console.print(NOTE)
    hours = sum(result.seconds for result in results) / 3600
    console.print(f"{len(results)} runs, {hours:.2f} hours of training on one thread. Figure: {folder / FIGURE}")


if __name__ == "__main__":
    main()
