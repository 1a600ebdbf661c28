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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from examples.digits import whole_number
from examples.study_parts.commands import RESULTS, run_study, tune
from examples.study_parts.data import DEBIAN_FOLDER
from examples.study_parts.figure import DOTS_PER_INCH, draw_figure
from examples.study_parts.methods import METHODS
from examples.study_parts.network import RESNET18, SMALL
from examples.study_parts.plan import SETTINGS, Result
from examples.study_parts.recipes import RECIPES
from examples.study_parts.records import lock_folder, read_records
from examples.study_parts.summary import summarise, time_shares
from examples.study_parts.table import NOTE, make_table, write_markdown, write_time_shares
from examples.study_parts.training import CPU, GPU

TABLE, FIGURE = "table.md", "study.png"
_WIDTH = 170  # characters: a table's row stays one line, in files too


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what is left of the study and report on it."""
    options = parse(arguments)
    console = Console(width=_WIDTH)
    options.output.mkdir(parents=True, exist_ok=True)
    if not options.table_only:
        try:
            with lock_folder(options.output), _interrupted_by_sigterm():
                (tune if options.tune else run_study)(options, console)
        except KeyboardInterrupt:
            console.print(f"Stopped. All runs that had ended are kept in {options.output}; the same command goes on.")
            sys.exit(128 + signal.SIGINT)
    report(options.output, console)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.study",
        description="Compare Co-Mixup with other mixing at equal time; go on where a study was left.",
    )
    counts: dict[str, Any] = {"type": whole_number(1), "metavar": "N"}
    own = "(default: each method's own)"
    parts = list(dict.fromkeys(setting.part for setting in SETTINGS))
    parser.add_argument(
        "--parts", nargs="+", choices=list(RECIPES), default=parts, help=f"(default: {' '.join(parts)})"
    )
    parser.add_argument("--labels", nargs="+", **counts, help="numbers of labels (default: all)")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), metavar="NAME", help="(default: all)")
    parser.add_argument("--budgets", nargs="+", **counts, help=f"times of {SETTINGS[0].epochs} plain epochs {own}")
    parser.add_argument("--seeds", **counts, help=f"runs of each kind {own}")
    parser.add_argument("--network", choices=[SMALL, RESNET18], default=SMALL, help="(default: %(default)s)")
    parser.add_argument("--accelerator", choices=[CPU, GPU], default=CPU, help="(default: %(default)s)")
    parser.add_argument("--processes", default=1, **counts, help="of one thread each (default: 1)")
    parser.add_argument("--limit-hours", type=float, default=float("inf"), metavar="H", help="begin no run after them")
    parser.add_argument("--fashion", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER", help="of its IDX files")
    parser.add_argument("--output", type=Path, default=Path("study"), metavar="FOLDER", help="of all files")
    parser.add_argument("--table-only", action="store_true", help="train nothing; print and draw what is there")
    parser.add_argument("--tune", action="store_true", help="try the rates of training without mixing instead")
    return parser.parse_args(arguments)


def report(folder: Path, console: Console) -> None:
    """Print the table of all results in a folder, write it for a page and draw the figure."""
    results = read_records(folder / RESULTS, Result)
    if not results:
        console.print(f"No results in {folder} yet.")
        return
    summaries = summarise(results)
    console.print(make_table(summaries))
    notes = f"{NOTE}\n\n{write_time_shares(time_shares(results))}"
    console.print(notes)
    (folder / TABLE).write_text(f"{write_markdown(summaries)}\n{notes}\n", encoding="utf-8")
    draw_figure(summaries).savefig(folder / FIGURE, dpi=DOTS_PER_INCH)
    hours = sum(row.hours for row in summaries)
    console.print(f"{len(results)} runs, {hours:.2f} hours of training. Figure: {folder / FIGURE}")


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Let `kill` do what Ctrl-C does: the processes of the study end with it."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    main()
