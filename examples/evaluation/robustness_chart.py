"""Accuracy on changed images: a line over the noise, bars for the other changes."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from examples.evaluation.robustness import Robustness

_BLUE = "#0072B2"  # of Okabe and Ito
_SIZE = (8.0, 3.4)  # inches


def draw_robustness(clean: float, found: Sequence[Robustness]) -> Figure:
    """Draw top-1 accuracies.

    Args:
        clean: On all images, unchanged.
        found: On changed images.
    """
    figure = Figure(figsize=_SIZE, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.3))
    noisy = [(one.deviation, one.accuracy) for one in found if one.deviation is not None]
    _draw_line(left, [(0.0, clean), *noisy])
    _draw_bars(right, [("unchanged", clean)] + [(one.change, one.accuracy) for one in found if one.deviation is None])
    left.set(ylim=(0, 1.05), ylabel="top-1 accuracy")
    left.yaxis.set_major_formatter("{x:.0%}")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", alpha=0.25)
        axis.set_axisbelow(True)
    return figure


def _draw_line(axis: Axes, points: Sequence[tuple[float, float]]) -> None:
    points = sorted(points)
    axis.plot(*zip(*points, strict=True), "o-", color=_BLUE, clip_on=False)
    for deviation, accuracy in points:
        axis.annotate(
            f"{accuracy:.1%}", (deviation, accuracy), (0, 6), textcoords="offset points", ha="center", fontsize=8
        )
    axis.set(xlabel="standard deviation of the noise (pixels from 0 to 1)")


def _draw_bars(axis: Axes, bars: Sequence[tuple[str, float]]) -> None:
    names, heights = zip(*bars, strict=True)
    colours = ["0.65" if "unchanged" in name else _BLUE for name in names]
    drawn = axis.bar(range(len(names)), heights, color=colours, width=0.7)
    axis.bar_label(drawn, [f"{height:.1%}" for height in heights], fontsize=8, padding=2)
    # A line break after the comma or colon keeps long names apart.
    labels = [
        name.replace(", ", ",\n").replace(": ", ":\n").replace("another image", "another\nimage") for name in names
    ]
    axis.set_xticks(range(len(names)), labels, fontsize=8)
