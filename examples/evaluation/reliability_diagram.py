"""A reliability diagram: accuracy against confidence, the gap between them, and how many images each bin holds."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from examples.evaluation.calibration import Reliability

# Of Okabe and Ito, for the colour-blind as well.
_BLUE, _ORANGE = "#0072B2", "#D55E00"
_SIZE = (4.6, 5.6)  # inches


def draw_reliability(reliability: Reliability, calibration_error: float) -> Figure:
    """Draw the bins over the histogram of confidences."""
    figure = Figure(figsize=_SIZE, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _draw_gaps(upper, reliability)
    bins = len(reliability.counts)
    upper.set_title(f"Calibration error {calibration_error:.2%} ({bins} bins)", fontsize=11)
    _draw_counts(lower, reliability)
    return figure


def _draw_gaps(axis: Axes, reliability: Reliability) -> None:
    """Draw each bin's accuracy as a bar, and what it lacks to the mean confidence, or exceeds it by, on top."""
    left, width = reliability.edges[:-1].numpy(), reliability.edges.diff().numpy()
    accuracy, confidence = reliability.accuracy.numpy(), reliability.confidence.numpy()
    axis.bar(left, accuracy, width, align="edge", color=_BLUE, edgecolor="white", label="accuracy")
    gap = {"facecolor": (*_rgb(_ORANGE), 0.35), "edgecolor": _ORANGE, "hatch": "///", "linewidth": 0.8}
    axis.bar(left, confidence - accuracy, width, accuracy, align="edge", label="gap to confidence", **gap)
    axis.plot([0, 1], [0, 1], "--", color="0.3", linewidth=1, label="calibrated")
    axis.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy", box_aspect=1)
    axis.legend(loc="upper left", frameon=False, fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)


def _rgb(colour: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)


def _draw_counts(axis: Axes, reliability: Reliability) -> None:
    """Draw the number of images in each bin, and write it above the bar."""
    left, width = reliability.edges[:-1].numpy(), reliability.edges.diff().numpy()
    counts = reliability.counts.numpy()
    axis.bar(left, counts, width, align="edge", color="0.65", edgecolor="white")
    for start, wide, count in zip(left, width, counts, strict=True):
        if count:
            axis.annotate(
                f"{count:.0f}", (start + wide / 2, count), (0, 2), textcoords="offset points", ha="center", fontsize=7
            )
    axis.set(xlabel="confidence", ylabel="images", ylim=(0, counts.max() * 1.2))
    axis.spines[["top", "right"]].set_visible(False)
