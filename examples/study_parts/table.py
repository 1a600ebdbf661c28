"""The tables of a study, for the console and for a Markdown page.

Tasks whose budgets are other numbers of epochs have a table of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from rich.table import Table

from examples.study_parts.measures import BINS
from examples.study_parts.names import NONE, RESNET18
from examples.study_parts.plan import REAL_SIZE, SETTINGS
from examples.study_parts.summary import Estimate, Summary, Task, budgets_in, estimate

NOTE = (
    f"Accuracy is that of {NONE}, and for the other methods the difference from it in the same seeds, as mean ± "
    f"standard error. ECE is the expected calibration error with {BINS} bins. ECE and log-loss are given before / "
    "after temperature scaling. A budget is the time of that many epochs without mixing."
)
_HEADINGS = ("accuracy %", "ECE %", "log-loss")
_NAMES = {
    "fashion": "Fashion-MNIST",
    "fashion-all": "Fashion-MNIST",
    "clutter": "Fashion-MNIST in clutter",
    "cells": "solar cells",
    "digits": "digits in clutter",
}
_NETWORKS = {RESNET18: "ResNet-18"}  # the small one goes without saying
Row = list[str]


def make_tables(summaries: Sequence[Summary]) -> list[Table]:
    """Return the tables for the console."""
    return [_make_table(epochs, rows) for epochs, rows in _by_epochs(summaries).items()]


def _make_table(epochs: int, summaries: Sequence[Summary]) -> Table:
    table = Table("method")
    budgets = budgets_in(summaries)
    for heading in _headings(epochs, budgets):
        table.add_column(heading.replace(": ", ":\n"), justify="right", no_wrap=True)
    for task, rows in _sections(summaries, budgets):
        table.add_section()
        table.add_row(f"[bold]{title(task)}[/bold]")
        for row in rows:
            table.add_row(*row)
    return table


def write_markdown(summaries: Sequence[Summary]) -> str:
    """Return the tables for a Markdown page."""
    return "\n".join(_write_table(epochs, rows) for epochs, rows in _by_epochs(summaries).items())


def _write_table(epochs: int, summaries: Sequence[Summary]) -> str:
    budgets = budgets_in(summaries)
    empty = [""] * len(_HEADINGS) * len(budgets)
    lines = [["method", *_headings(epochs, budgets)], ["---", *(["---:"] * len(empty))]]
    for task, rows in _sections(summaries, budgets):
        lines += [[f"**{title(task)}**", *empty], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_time_shares(shares: Mapping[str, float]) -> str:
    """Return a line that shows how close to equal the times of the runs were."""
    parts = "; ".join(f"{method} {share:.2f}" for method, share in shares.items())
    return f"Training time relative to {NONE}, median: {parts}."


def title(task: Task) -> str:
    """Return the readable name of a task."""
    network = f", {_NETWORKS[task.network]}" if task.network in _NETWORKS else ""
    return f"{_NAMES[task.part]}, {task.labels:,} labels{network}"


def epochs_of(task: Task, budget: int) -> int:
    """Return the number of plain epochs that take as long as a budget."""
    epochs = {setting[:2]: setting.epochs for setting in (*SETTINGS, REAL_SIZE)}
    return budget * epochs.get(task[:2], SETTINGS[0].epochs)


def _by_epochs(summaries: Sequence[Summary]) -> dict[int, list[Summary]]:
    """Return the summaries by the number of plain epochs that equal a budget of 1."""
    found: dict[int, list[Summary]] = {}
    for row in summaries:
        found.setdefault(epochs_of(row.task, 1), []).append(row)
    return found


def _headings(epochs: int, budgets: Sequence[int]) -> list[str]:
    return [f"{budget * epochs} epochs: {heading}" for budget in budgets for heading in _HEADINGS]


def _sections(summaries: Sequence[Summary], budgets: Sequence[int]) -> Iterator[tuple[Task, list[Row]]]:
    """Yield each task with its rows, one per method."""
    for task, rows in groupby(summaries, lambda row: row.task):
        section = []
        for method, found in groupby(rows, lambda row: row.method):
            by_budget = {row.budget: row for row in found}
            cells = [cell for budget in budgets for cell in _cells(by_budget.get(budget))]
            section.append([method, *cells])
        yield task, section


def _cells(row: Summary | None) -> Row:
    """Return the cells in a budget's columns."""
    if row is None:
        return [""] * len(_HEADINGS)
    accuracy = _write(estimate(row.accuracies)) if row.method == NONE else _write(estimate(row.gains), sign="+")
    ece = f"{100 * row.ece.mean:.1f} / {100 * row.scaled_ece.mean:.1f}"
    return [accuracy, ece, f"{row.nll.mean:.2f} / {row.scaled_nll.mean:.2f}"]


def _write(value: Estimate, sign: str = "") -> str:
    """Format shares in per cent, without unknown values."""
    rounded = round(100 * value.mean, 1) + 0.0  # which is never -0.0
    numbers = [f"{rounded:{sign}.1f}", f"{100 * value.error:.1f}"]
    return " ± ".join(text for text, number in zip(numbers, value, strict=True) if not math.isnan(number))
