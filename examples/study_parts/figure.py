"""The figure of a study, which shows the difference from plain training against compute, in one panel per task."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from matplotlib.figure import Figure

from examples.study_parts.names import FAST, HALF_CUTMIX, MIXUP, NONE, PAPER
from examples.study_parts.summary import Summary, Task, budgets_in, estimate
from examples.study_parts.table import epochs_of, title

# Colours of Wong, "Points of view: Color blindness", Nature Methods 8 (2011), which all readers can tell apart.
_COLOURS = {PAPER: "#0072B2", FAST: "#009E73", HALF_CUTMIX: "#D55E00", MIXUP: "#CC79A7"}
_LABELS = {PAPER: "Co-Mixup", FAST: "Co-Mixup, fast", HALF_CUTMIX: "CutMix, half", MIXUP: "MixUp"}
# Factors of the budget that keep the methods' bars apart.
_ASIDE = {PAPER: 1.0, FAST: 1.06, HALF_CUTMIX: 1 / 1.06, MIXUP: 1 / 1.12}
_GREY = "0.35"
_COLUMNS = 3
_PANEL_WIDTH, _PANEL_HEIGHT, _CAPTION_HEIGHT = 3.3, 2.7, 0.5  # inches
_TITLE_WIDTH = 40  # characters that fit above a panel
DOTS_PER_INCH = 150
_ROOM_FOR_LABELS = 2.4  # times the last budget, where the axis ends
_BESIDE = 1.15  # times the last budget, where the labels begin
_LEAST_GAP = 0.085  # of the axis, between the labels of two lines
_SEED_DOTS = {"linestyle": "", "marker": "o", "markersize": 3, "alpha": 0.35, "markeredgewidth": 0}


def draw_figure(summaries: Sequence[Summary]) -> Figure:
    """Draw means with standard errors, and a dot for each seed.

    Args:
        summaries: Summaries in the study's order.
    """
    tasks = [(task, list(rows)) for task, rows in groupby(summaries, lambda row: row.task)]
    lines = math.ceil(len(tasks) / _COLUMNS)
    size = (_PANEL_WIDTH * _COLUMNS, _PANEL_HEIGHT * lines + _CAPTION_HEIGHT)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(lines, _COLUMNS, squeeze=False)
    for axis in axes.flat[len(tasks) :]:
        axis.set_visible(False)
    for axis, (task, rows) in zip(axes.flat, tasks, strict=False):
        _draw_panel(axis, task, rows)
    for axis in axes[:, 0]:
        axis.set_ylabel("points of accuracy\nover none")
    figure.supxlabel("epochs of plain training that take as long; below them its accuracy", fontsize="medium")
    return figure


def _draw_panel(axis: Any, task: Task, rows: Sequence[Summary]) -> None:
    budgets = budgets_in(rows)
    ends = {"none": (budgets[-1], 0.0)}
    axis.plot([budgets[0], budgets[-1]], [0, 0], color=_GREY, linewidth=1.2)
    for method, colour in _COLOURS.items():
        places = {budget: budget * _ASIDE[method] for budget in budgets}
        shown = [row for row in rows if row.method == method and row.gains]
        for row in shown:
            axis.plot(
                [places[row.budget]] * len(row.gains), [100 * gain for gain in row.gains], color=colour, **_SEED_DOTS
            )
        means = [estimate(100 * gain for gain in row.gains) for row in shown]
        errors = [0 if math.isnan(mean.error) else mean.error for mean in means]
        if shown:
            found = [mean.mean for mean in means]
            spots = [places[row.budget] for row in shown]
            axis.errorbar(spots, found, errors, color=colour, linewidth=1.8, capsize=2)
            ends[_LABELS[method]] = (shown[-1].budget, found[-1])
    axis.set_title(textwrap.fill(title(task), _TITLE_WIDTH), fontsize="medium", loc="left")
    _dress_axes(axis, task, rows, budgets)
    _label_ends(axis, ends)


def _dress_axes(axis: Any, task: Task, rows: Sequence[Summary], budgets: Sequence[int]) -> None:
    plain = {row.budget: estimate(row.accuracies).mean for row in rows if row.method == NONE}
    names = [
        f"{epochs_of(task, budget)}\n" + (f"{100 * plain[budget]:.1f} %" if budget in plain else "")
        for budget in budgets
    ]
    axis.set_xscale("log")
    axis.set_xlim(budgets[0] / 1.3, budgets[-1] * _ROOM_FOR_LABELS)
    axis.set_xticks(budgets, names)
    axis.set_xticks([], minor=True)
    axis.grid(axis="y", alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(length=0)


def _label_ends(axis: Any, ends: dict[str, tuple[int, float]]) -> None:
    """Write each line's name at its end, and move apart names that would overlap."""
    bottom, top = axis.get_ylim()
    heights = spread_out([height for _, height in ends.values()], _LEAST_GAP * (top - bottom))
    colours = {_LABELS[method]: colour for method, colour in _COLOURS.items()}
    for (name, (budget, _)), height in zip(ends.items(), heights, strict=True):
        axis.text(_BESIDE * budget, height, name, color=colours.get(name, _GREY), va="center", fontsize="small")


def spread_out(heights: Sequence[float], gap: float) -> list[float]:
    """Return heights in the same order that are at least `gap` apart, and as close as possible to the old ones.

    Each group of crowded neighbours is spaced evenly around its mean.
    """
    order = sorted(range(len(heights)), key=lambda number: heights[number])
    crowds: list[list[int]] = []
    for number in order:
        crowds.append([number])
        while len(crowds) > 1 and _edge(crowds[-1], heights, gap, -1) - _edge(crowds[-2], heights, gap, 1) < gap:
            crowds[-2:] = [crowds[-2] + crowds[-1]]
    found = list(heights)
    for crowd in crowds:
        for place, number in enumerate(crowd):
            found[number] = _edge(crowd, heights, gap, -1) + place * gap
    return found


def _edge(crowd: Sequence[int], heights: Sequence[float], gap: float, side: int) -> float:
    """Return the lowest (side -1) or highest (side 1) height of a crowd after spacing."""
    middle = sum(heights[number] for number in crowd) / len(crowd)
    return middle + side * gap * (len(crowd) - 1) / 2
