"""The table of a study."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.table import Table

from examples.study_parts.methods import REFERENCE
from examples.study_parts.module import BINS
from examples.study_parts.plan import EPOCHS, TIME
from examples.study_parts.summary import Estimate, Summary

_HEADINGS = (
    *("epochs", "accuracy %", f"difference to\n{REFERENCE}", f"ECE %\n({BINS} bins)"),
    *("log-loss", "seeds", "hours"),
)
NOTE = (
    f"Difference: in accuracy, method minus {REFERENCE}, seed by seed. ECE: expected calibration error. "
    "Hours: the processor's, in training, all seeds together."
)
BUDGET_NAMES = {EPOCHS: "equal epochs", TIME: "equal time"}


def make_tables(summaries: Sequence[Summary]) -> list[Table]:
    """Return a table for each data set and number of labels, its budgets one below the other."""
    return [_make_table(part, labels, list(rows)) for (part, labels), rows in groupby(summaries, lambda row: row[:2])]


def _make_table(part: str, labels: int, rows: Sequence[Summary]) -> Table:
    table = Table("budget", title=f"{part}, {labels:,} labels: mean ± standard deviation over the seeds")
    table.add_column("method", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right")
    for budget, group in groupby(rows, lambda row: row.budget):
        for number, row in enumerate(group):
            table.add_row("" if number else BUDGET_NAMES[budget], *cells(row))
        table.add_section()
    return table


def cells(row: Summary) -> list[str]:
    """Return what stands in a row, from the method on."""
    gain = "" if row.method == REFERENCE else _write(row.gain, 100, sign="+")
    shares = [_write(row.accuracy, 100), gain, _write(row.calibration_error, 100)]
    return [row.method, str(row.epochs), *shares, _write(row.nll, 1, 3), str(row.seeds), f"{row.hours:.3f}"]


def _write(value: Estimate, scale: int, digits: int = 2, sign: str = "") -> str:
    numbers = [f"{scale * value.mean:{sign}.{digits}f}", f"{scale * value.deviation:.{digits}f}"]
    return " ± ".join(number for number in numbers if "nan" not in number)
