"""Compare Co-Mixup with no mixing, MixUp and CutMix: accuracy, calibration error and log-loss against compute.

Run `python -m examples.study` (extras `examples`, `cells` and, for the authors' cuts, `pygco`), or add `--help`. Each
run trains one network on few labels and adds a line to `results.csv` when it ends, so an interrupted study continues
where it stopped. Runs with the same seed share images, initial weights, order and augmentation.

A budget is the time of a number of epochs of plain training. Each method trains for as many steps as fit into this
time. The cost of its step, in plain steps, is measured first (`costs.csv`).
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from examples.command_line import CommandError, Parser, one_line_errors, whole_number, write_line
from examples.study_parts.choice import choose, find_missing, left_out
from examples.study_parts.names import CPU, DEBIAN_FOLDER, GPU, METHOD_NAMES, RESNET18, RESULTS, SMALL
from examples.study_parts.plan import REAL_SIZE, SETTINGS, Wish
from examples.study_parts.recipes import RECIPES

_WIDTH = 170  # characters, so that a row of a table stays on one line, in files too


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out the rest of the study and report on it."""
    options = parse(arguments)
    on_interrupt = f"Stopped. All finished runs are saved in {options.output}. The same command continues."
    with one_line_errors("examples", on_interrupt), _interrupted_by_sigterm():
        (_report_alone if options.table_only else _study)(options)


def _report_alone(options: argparse.Namespace) -> None:
    if not (options.output / RESULTS).is_file():
        raise CommandError(f"There must be results to print, found none in {options.output}. Choose another --output.")
    _report(options)


def _study(options: argparse.Namespace) -> None:
    missing = find_missing(options)
    wish = choose(options, missing)
    for name, need in missing.items():
        write_line(f'Left out: "{name}". It needs {need}.')
    _train(options, wish)
    _report(options)
    if absent := left_out(options, missing):
        raise CommandError(f"""The study lacks "{'", "'.join(absent)}". See the lines above its table.""")


def _train(options: argparse.Namespace, wish: Wish) -> None:
    from rich.console import Console

    from examples.study_parts.commands import run_study, tune
    from examples.study_parts.records import lock_folder

    options.output.mkdir(parents=True, exist_ok=True)
    with lock_folder(options.output):
        (tune if options.tune else run_study)(options, wish, Console(width=_WIDTH))


def _report(options: argparse.Namespace) -> None:
    from rich.console import Console

    from examples.study_parts.report import report

    report(options.output, Console(width=_WIDTH))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = Parser(
        prog="python -m examples.study",
        description="Compare Co-Mixup with other ways of mixing in equal time, or continue an interrupted study.",
    )
    counts: dict[str, Any] = {"type": whole_number(1), "metavar": "N"}
    own = "(default: each method's own)"
    parts = list(dict.fromkeys(setting.part for setting in SETTINGS))
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=list(RECIPES),
        default=parts,
        help=f"tasks; cells are solar cells, clutter is Fashion-MNIST in clutter (default: {' '.join(parts)})",
    )
    parser.add_argument("--labels", nargs="+", **counts, help="numbers of labels (default: all)")
    names = ", ".join(f'"{name}"' for name in METHOD_NAMES)
    parser.add_argument("--methods", nargs="+", choices=METHOD_NAMES, metavar="NAME", help=f"of {names} (default: all)")
    parser.add_argument(
        "--budgets", nargs="+", **counts, help=f"times in units of {SETTINGS[0].epochs} plain epochs {own}"
    )
    parser.add_argument("--seeds", **counts, help=f"number of seeds {own}")
    parser.add_argument("--network", choices=[SMALL, RESNET18], default=SMALL, help="(default: %(default)s)")
    parser.add_argument("--accelerator", choices=[CPU, GPU], default=CPU, help="(default: %(default)s)")
    parser.add_argument("--processes", default=1, **counts, help="single-threaded processes (default: 1)")
    parser.add_argument(
        "--limit-hours", type=float, default=float("inf"), metavar="H", help="start no run after H hours"
    )
    parser.add_argument(
        "--fashion", type=Path, default=DEBIAN_FOLDER, metavar="FOLDER", help="Fashion-MNIST's IDX files"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("study"),
        metavar="FOLDER",
        help="folder for all files (default: %(default)s)",
    )
    parser.add_argument("--table-only", action="store_true", help="only print and draw existing results")
    parser.add_argument("--tune", action="store_true", help="only try learning rates and weight decays without mixing")
    options = parser.parse_args(arguments)
    known = {setting.labels for setting in (*SETTINGS, REAL_SIZE) if setting.part in options.parts}
    if not known.intersection(options.labels or known):
        parser.error(f"argument --labels: must be among {sorted(known)} with these --parts, found {options.labels}")
    return options


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Make `kill` work like Ctrl-C, so that the study's processes end too."""

    def interrupt(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    main()
