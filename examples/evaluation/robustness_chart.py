"""Accuracy on changed images, as a line for the noise and bars for the other changes."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from examples.evaluation.robustness import Robustness

_BLUE = "#0072B2"  # of Okabe and Ito
_SIZE = (9.0, 3.4)  # inches


def draw_robustness(clean: float, found: Sequence[Robustness]) -> Figure:
    """Draw top-1 accuracies.

    Args:
        clean: Accuracy on all images, unchanged.
        found: Accuracies on changed images.
    """
    figure = Figure(figsize=_SIZE, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
    noisy = [(one.deviation, one.accuracy) for one in found if one.deviation is not None]
    _draw_line(left, [(0.0, clean), *noisy])
    _draw_bars(right, [("unchanged", clean)] + [(one.change, one.accuracy) for one in found if one.deviation is None])
    for axis, direction in ((left, "y"), (right, "x")):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis=direction, alpha=0.25)
        axis.set_axisbelow(True)
    return figure


def _draw_line(axis: Axes, points: Sequence[tuple[float, float]]) -> None:
    points = sorted(points)
    axis.plot(*zip(*points, strict=True), "o-", color=_BLUE, clip_on=False)
    for deviation, accuracy in points:
        axis.annotate(f"{accuracy:.1%}", (deviation, accuracy), (5, 5), textcoords="offset points", fontsize=8)
    axis.set(ylim=(0, 1.05), ylabel="top-1 accuracy", xlabel="std of the noise (pixels from 0 to 1)")
    axis.yaxis.set_major_formatter("{x:.0%}")
    axis.margins(x=0.1)  # room for the last number


def _draw_bars(axis: Axes, bars: Sequence[tuple[str, float]]) -> None:
    names, lengths = zip(*bars, strict=True)
    drawn = axis.barh(names, lengths, color=["0.65" if "unchanged" in name else _BLUE for name in names], height=0.7)
    axis.bar_label(drawn, [f"{length:.1%}" for length in lengths], fontsize=8, padding=3)
    axis.set(xlim=(0, 1.12), xticks=(0, 0.5, 1), xlabel="top-1 accuracy")
    axis.xaxis.set_major_formatter("{x:.0%}")
    axis.invert_yaxis()
