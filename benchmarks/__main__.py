"""Run the benchmarks, print their tables, and write them as CSV files with plots of the solver's times and energies.

python -m benchmarks [--reference CHECKOUT] [--tables solver batch memory growth curve effects callback step saliencies]
                     [--output FOLDER] [--accelerator gpu]
"""

from __future__ import annotations

import argparse
import csv
import platform
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from benchmarks.batch import batch_rows, memory_rows
from benchmarks.callback_cost import callback_rows
from benchmarks.curve import curve_rows
from benchmarks.effects import effect_rows
from benchmarks.plots import plot_curve, plot_solver
from benchmarks.reference import load_reference
from benchmarks.saliencies import saliency_rows
from benchmarks.solver import growth_rows, solver_rows
from benchmarks.step import step_rows

Rows = list[dict[str, Any]]
_PACKAGES = ("torch", "lightning", "numpy", "numba", "gco-wrapper", "torchvision")


def main() -> None:
    """Run what the command line asks for."""
    arguments = _parse()
    if arguments.accelerator == "cpu":
        torch.set_num_threads(1)
    reference = load_reference(arguments.reference)
    tables: dict[str, Callable[[], Rows]] = {
        "solver": lambda: solver_rows(reference, arguments.groups),
        "batch": lambda: batch_rows(reference),
        "memory": memory_rows,
        "growth": growth_rows,
        "curve": lambda: curve_rows(reference, arguments.groups),
        "effects": lambda: effect_rows(arguments.groups),
        "callback": callback_rows,
        "step": lambda: step_rows(reference, arguments.accelerator),
        "saliencies": lambda: saliency_rows(arguments.accelerator),
    }
    plots = {"solver": plot_solver, "curve": plot_curve}
    arguments.output.mkdir(parents=True, exist_ok=True)
    _print(f"{_describe_machine()}\nReference: {reference.name}; {_describe_threads()} but where stated; medians.\n")
    for name in arguments.tables or tables:
        rows = tables[name]()
        _print(f"{name}\n{markdown(rows)}\n")
        _write(rows, arguments.output / f"{name}.csv")
        if name in plots:
            plots[name](rows, reference.name, arguments.output / f"{name}.png")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--reference", type=Path, help="a checkout of the authors' repository (snu-mllab/Co-Mixup)")
    parser.add_argument(
        "--tables",
        nargs="+",
        choices=["solver", "batch", "memory", "growth", "curve", "effects", "callback", "step", "saliencies"],
    )
    parser.add_argument("--groups", type=int, default=20, help="groups per row of the tables solver, curve and effects")
    parser.add_argument(
        "--accelerator",
        choices=["cpu", "gpu"],
        default="cpu",
        help="where the tables step and saliencies train; gpu: with PyTorch's own number of threads",
    )
    parser.add_argument("--output", type=Path, default=Path("benchmark-results"))
    return parser.parse_args()


def _describe_machine() -> str:
    packages = ", ".join(_version(package) for package in _PACKAGES)
    card = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"Python {platform.python_version()} on {platform.machine()}{card}; {packages}"


def _describe_threads() -> str:
    threads = torch.get_num_threads()
    return "one thread" if threads == 1 else f"{threads} threads"


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def markdown(rows: Rows) -> str:
    """Return rows as a table; a row may leave columns out."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(_format(row.get(column, "")) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def _format(value: Any) -> str:
    """Return a number with three digits that matter, and whole numbers whole."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _write(rows: Rows, path: Path) -> None:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
