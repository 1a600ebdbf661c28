"""A reliability diagram: accuracy against confidence, the gap between them, and the number of images in each bin."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from examples.evaluation.calibration import Reliability

# Okabe and Ito's colours, which colour-blind readers can tell apart, and a light shade of the last one.
_BLUE, _SKY, _ORANGE, _LIGHT_ORANGE = "#0072B2", "#56B4E9", "#D55E00", "#F7DFCC"
_SIZE = (4.6, 6.0)  # inches
_HEADROOM = 1.2  # room for the numbers above the bars


def draw_reliability(reliability: Reliability, calibration_error: float) -> Figure:
    """Draw the bins above the histogram of confidences."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _draw_gaps(upper, reliability)
    figure.suptitle(f"Calibration error {calibration_error:.2%} ({len(reliability.counts)} bins)", fontsize=11)
    _draw_counts(lower, reliability)
    for axis in (upper, lower):
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_gaps(axis: Axes, reliability: Reliability) -> None:
    """Draw each bin's accuracy as a bar, and hatch the gap between it and the mean confidence."""
    left, width = reliability.edges[:-1].numpy(), reliability.edges.diff().numpy()
    accuracy, confidence = reliability.accuracy.nan_to_num().numpy(), reliability.confidence.nan_to_num().numpy()
    axis.bar(left, accuracy, width, align="edge", color=_BLUE, edgecolor="white", label="accuracy")
    over, under = (confidence - accuracy).clip(min=0), (accuracy - confidence).clip(min=0)
    above = axis.bar(left, over, width, accuracy, align="edge", color=_LIGHT_ORANGE, label="too sure by")
    below = axis.bar(left, under, width, confidence, align="edge", color=_SKY, label="too unsure by")
    for bars, colour in ((above, _ORANGE), (below, _BLUE)):
        for bar in bars:
            bar.set(hatch="////", edgecolor=colour, linewidth=0.8, visible=bar.get_height() > 0)
    axis.plot([0, 1], [0, 1], "--", color="0.2", linewidth=1)
    axis.set(xlim=(0, 1), ylim=(0, 1.01), ylabel="accuracy")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False, fontsize=9)


def _draw_counts(axis: Axes, reliability: Reliability) -> None:
    """Draw the number of images in each bin, and write it above the bar."""
    left, width = reliability.edges[:-1].numpy(), reliability.edges.diff().numpy()
    counts = reliability.counts.numpy()
    drawn = axis.bar(left, counts, width, align="edge", color="0.65", edgecolor="white")
    axis.bar_label(drawn, [f"{count:.0f}" if count else "" for count in counts], fontsize=7, padding=2)
    axis.set(xlabel="confidence", ylabel="images", ylim=(0, counts.max() * _HEADROOM))
