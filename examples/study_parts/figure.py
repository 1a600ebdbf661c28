"""The figure of a study: accuracy above, calibration error below, a column for each setting."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from examples.study_parts.methods import METHODS, REFERENCE
from examples.study_parts.plan import EPOCHS, TIME
from examples.study_parts.summary import Summary
from examples.study_parts.table import BUDGET_NAMES

_MEASURES = {"accuracy": "accuracy %", "calibration_error": "calibration error %"}
_COLUMN_WIDTH, _HEIGHT, _NAMES_WIDTH = 2.2, 5.4, 1.8  # inches
_MOST_TICKS = 4
_DOTS_PER_INCH = 130
_OFFSETS = {EPOCHS: -0.15, TIME: 0.15}  # of the two budgets' marks from the method's line
_MARKS = {EPOCHS: {"marker": "o", "color": "C0"}, TIME: {"marker": "s", "color": "C1", "markerfacecolor": "white"}}


def draw_figure(summaries: Sequence[Summary], path: Path) -> None:
    """Draw means with standard deviations as bars.

    Args:
        summaries: Sorted by data set and number of labels.
        path: File to write.
    """
    settings = [list(rows) for _, rows in groupby(summaries, lambda row: row[:2])]
    methods = [method for method in METHODS if any(row.method == method for row in summaries)]
    size = (_NAMES_WIDTH + _COLUMN_WIDTH * len(settings), _HEIGHT)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(_MEASURES), len(settings), squeeze=False, sharey=True)
    for column, rows in enumerate(settings):
        for axis, measure in zip(axes[:, column], _MEASURES, strict=True):
            _draw_panel(axis, rows, methods, measure)
        axes[0, column].set_title(f"{rows[0].part}, {rows[0].labels:,} labels")
    for axis in axes[:, 0]:
        axis.set_yticks(range(len(methods)), methods)
        axis.set_ylim(len(methods) - 0.5, -0.5)  # the first on top
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    figure.savefig(path, dpi=_DOTS_PER_INCH)


def _draw_panel(axis: Any, rows: Sequence[Summary], methods: list[str], measure: str) -> None:
    for budget, offset in _OFFSETS.items():
        shown = [row for row in rows if row.budget == budget]
        heights = [methods.index(row.method) + offset for row in shown]
        found = [getattr(row, measure) for row in shown]
        means, deviations = ([100 * value[part] for value in found] for part in (0, 1))
        axis.errorbar(means, heights, xerr=deviations, linestyle="", label=BUDGET_NAMES[budget], **_MARKS[budget])
        axis.set_xlabel(_MEASURES[measure])
    if REFERENCE in methods:
        axis.axhspan(*(methods.index(REFERENCE) + edge for edge in (-0.5, 0.5)), color="0.93", zorder=0)
    axis.xaxis.set_major_locator(MaxNLocator(_MOST_TICKS))
    axis.grid(axis="x", alpha=0.3)
    axis.tick_params(axis="y", length=0)
