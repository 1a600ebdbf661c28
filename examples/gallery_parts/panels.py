"""The position of panels in a figure, and the panels that only the examples have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from lightning_comixup.plotting.panels import FRAME_WIDTH, draw_frame

GREY = "0.3"
# A few pixels are far more salient than all others, so the colours end at this quantile. Heuristic.
_BRIGHTEST = 0.995
_LEAST_NAMED_SHARE = 0.2  # narrower parts of a bar have no room for a number
# From the Web Content Accessibility Guidelines: the weights of red, green and blue, and the light that screens reflect.
_LUMINANCE_WEIGHTS, _FLARE = (0.2126, 0.7152, 0.0722), 0.05


def add_panel(figure: Figure, left: float, top: float, width: float, height: float | None = None) -> Axes:
    """Add axes at a position in inches from the upper left corner. Without a height, they are square."""
    height = width if height is None else height
    across, down = figure.get_size_inches()
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def add_text(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """Write at a position in inches from the upper left corner."""
    across, down = figure.get_size_inches()
    defaults: dict[str, Any] = {"fontsize": 9, "va": "top"}
    figure.text(left / across, 1 - top / down, text, **(defaults | style))


def draw_tag(axis: Axes, name: str, colour: str, fontsize: float) -> None:
    """Write an input's name on its colour, as wide as the frame of its image below."""
    axis.axis("off")
    axis.add_patch(Rectangle((0, 0), 1, 1, color=colour, linewidth=FRAME_WIDTH, clip_on=False))
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontweight": "bold"}
    axis.text(0.5, 0.5, name, color=text_on(colour), fontsize=fontsize, **style)


def draw_heat(axis: Axes, values: Tensor, colour: str) -> None:
    """Draw a saliency map (H, W) in a frame."""
    axis.imshow(values.numpy(), cmap="inferno", vmin=0, vmax=float(values.flatten().quantile(_BRIGHTEST)))
    draw_frame(axis, colour)


def draw_shares(axis: Axes, shares: Sequence[float], colours: Sequence[str]) -> None:
    """Draw a target as one bar, with each input's share in its colour."""
    start = 0.0
    for share, colour in zip(shares, colours, strict=True):
        axis.barh(0, share, left=start, height=1, color=colour)
        if share >= _LEAST_NAMED_SHARE:
            axis.text(start + share / 2, 0, f"{share:.0%}", ha="center", va="center", color=text_on(colour), fontsize=7)
        start += share
    axis.set(xlim=(0, 1), ylim=(-0.5, 0.5))
    axis.set_axis_off()


def text_on(colour: str) -> str:
    """Return black or white, whichever is easier to read on a colour."""
    return max(("black", "white"), key=lambda text: contrast(text, colour))


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21, as the Web Content Accessibility Guidelines define it."""
    darker, lighter = sorted(_luminance(to_rgb(colour)) for colour in (first, second))
    return (lighter + _FLARE) / (darker + _FLARE)


def _luminance(colour: tuple[float, float, float]) -> float:
    """Return the relative luminance of an sRGB colour, from 0 to 1."""
    linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in colour]
    return sum(weight * level for weight, level in zip(_LUMINANCE_WEIGHTS, linear, strict=True))


def draw_use(axis: Axes, use: Sequence[float], colours: Sequence[str], prior: Sequence[float]) -> None:
    """Draw how much of each input is used, in units of one output, with a line at 1 and the prior as dots."""
    axis.barh(range(len(use)), use, color=colours, height=0.75)
    axis.axvline(1, color=GREY, linewidth=0.8, linestyle=":")
    axis.plot(prior, range(len(prior)), "o", color="black", markersize=4, clip_on=False)
    most = max(2.0, *use, *prior)
    axis.set(xlim=(0, most), ylim=(len(use) - 0.5, -0.5))
    axis.set_yticks([])
    ticks = range(math.floor(most) + 1)
    axis.set_xticks(ticks, [str(tick) for tick in ticks], fontsize=7, color=GREY)
    axis.tick_params(length=2, color=GREY)
    axis.spines[["top", "right", "left"]].set_visible(False)
