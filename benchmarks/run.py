"""Measure, print and write the requested tables."""

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
from benchmarks.reference import Reference, load_reference
from benchmarks.saliencies import saliency_rows
from benchmarks.solver import growth_rows, solver_rows
from benchmarks.step import step_rows

Rows = list[dict[str, Any]]
_PACKAGES = ("torch", "lightning", "numpy", "numba", "gco-wrapper", "torchvision")
_PLOTS = {"solver": plot_solver, "curve": plot_curve}


def run(options: argparse.Namespace) -> None:
    """Measure, print and write one table after the other."""
    if options.accelerator == "cpu":
        torch.set_num_threads(1)
    reference = load_reference(options.reference)
    measures = measures_of(options, reference)
    options.output.mkdir(parents=True, exist_ok=True)
    _print(f"{_describe_machine()}\nReference: {reference.name}. Medians, with {_describe_threads()} unless stated.\n")
    for name in options.tables:
        rows = measures[name]()
        _print(f"{name}\n{markdown(rows)}\n")
        _write(rows, options.output / f"{name}.csv")
        if name in _PLOTS:
            _PLOTS[name](rows, reference.name, options.output / f"{name}.png")


def measures_of(options: argparse.Namespace, reference: Reference) -> dict[str, Callable[[], Rows]]:
    """Return the function that measures each table, by its name in the option `--tables`."""
    return {
        "solver": lambda: solver_rows(reference, options.groups),
        "batch": lambda: batch_rows(reference),
        "memory": memory_rows,
        "growth": growth_rows,
        "curve": lambda: curve_rows(reference, options.groups),
        "effects": lambda: effect_rows(options.groups),
        "callback": callback_rows,
        "step": lambda: step_rows(reference, options.accelerator),
        "saliencies": lambda: saliency_rows(options.accelerator),
    }


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
    """Return rows as a Markdown table. Rows may lack columns."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(_format(row.get(column, "")) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def _format(value: Any) -> str:
    """Format a float with about three significant digits, and any other value as it is."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _write(rows: Rows, path: Path) -> None:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
