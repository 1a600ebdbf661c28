"""A strip of images that shows where the network looks, its box and the ground-truth boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from torch import Tensor

from examples.evaluation.localization import FIT, THRESHOLD, Localization
from examples.evaluation.normalization import Normalization

# Okabe and Ito's colours, which colour-blind readers can tell apart.
_FOUND, _TRUTH = "#D55E00", "#56B4E9"
_RIGHT, _WRONG = "#009E73", "#CC79A7"
_INCHES = 1.7  # the side of an image
_OPACITY = 0.55  # of the map over its image


def draw_localizations(localizations: Sequence[Localization], normalization: Normalization) -> Figure:
    """Draw each image above its map, both with the boxes."""
    columns = len(localizations)
    figure = Figure(figsize=(max(columns, 3) * _INCHES, 2 * _INCHES + 0.9), layout="constrained")
    axes = figure.subplots(2, columns, squeeze=False)
    for column, one in enumerate(localizations):
        pixels = normalization.to_pixels(one.image[None])[0].clamp(0, 1)
        for axis in axes[:, column]:
            _show(axis, pixels)
            _draw_boxes(axis, one)
        axes[1, column].imshow(one.heat.numpy(), cmap="inferno", alpha=_OPACITY, vmin=0, vmax=1)
        is_fit = one.is_right and one.overlap >= FIT
        title = f"IoU {one.overlap:.2f} {_mark(one.overlap >= FIT)}\nclass {_mark(one.is_right)}"
        axes[0, column].set_title(title, fontsize=9, color=_RIGHT if is_fit else _WRONG, fontweight="bold")
    # A dashed line does not hide the line under it.
    lines = [Line2D([], [], color=_TRUTH, linewidth=2, linestyle="--"), Line2D([], [], color=_FOUND, linewidth=2)]
    labels = ["ground truth", f"box around the map above {THRESHOLD:g} of its maximum"]
    figure.legend(lines, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _mark(is_met: bool) -> str:
    return "✓" if is_met else "✗"


def _show(axis: Axes, pixels: Tensor) -> None:
    """Show an image in colour if it has three channels, and otherwise its first channel in grey."""
    image = pixels.permute(1, 2, 0).numpy() if len(pixels) == 3 else pixels[0].numpy()
    axis.imshow(image, cmap="gray", vmin=0, vmax=1)
    axis.set_axis_off()


def _draw_boxes(axis: Axes, one: Localization) -> None:
    _draw_box(axis, one.box, _FOUND, "-")
    for truth in one.truth:
        _draw_box(axis, truth, _TRUTH, "--")


def _draw_box(axis: Axes, box: Tensor, colour: str, style: Literal["-", "--"]) -> None:
    x0, y0, x1, y1 = (box - 0.5).tolist()  # matplotlib puts whole numbers at the pixels' centres
    frame = Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linestyle=style, linewidth=2)
    frame.set_clip_on(False)
    axis.add_patch(frame)
