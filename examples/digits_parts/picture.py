"""The picture: canvases mixed by MixUp, by CutMix and by Co-Mixup, each output above its target."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from torch import Tensor, nn

from examples.digits_parts.cover import Cover, cover_unmixed, mix_by_comixup, mix_in_pairs, visible_share
from examples.digits_parts.data import Canvases
from examples.digits_parts.pairs import draw_cutmix, draw_mixup
from examples.gallery_parts.panels import GREY, add_panel, add_text
from lightning_comixup.plotting.panels import draw_frame

# One for each canvas that is shown, each of another class. Okabe and Ito's colours, which colour-blind readers can tell
# apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# Heuristics: the strength of a canvas's colour on its plate, around it, and in the unfilled part of a bar.
_BRIGHT, _TINT, _PALE = 0.9, 0.25, 0.3
_LEAST_NAMED_WEIGHT = 0.2  # narrower parts of a bar have no room for a number
_MEASURED = 200  # canvases, which are ten groups. Heuristic

# Inches.
_LEFT, _TOP, _SIDE, _GAP = 1.52, 0.34, 1.18, 0.12
_BAR, _BAR_GAP, _ROW_GAP, _NOTE_HEIGHT = 0.3, 0.05, 0.22, 0.26
_DOTS_PER_INCH = 110
_NOTE = "A bar is a target: as wide as each digit's weight, filled as far as the digit's plate is in the image."


class _Row(NamedTuple):
    """A way of mixing, where each canvas went, and the share of the targets' weight that is visible in the images."""

    name: str
    cover: Cover
    visible: float


def draw_picture(network: nn.Module, canvases: Canvases, path: Path) -> None:
    """Draw the first canvas of each of some classes, and how MixUp, CutMix and Co-Mixup mix them as one batch.

    Args:
        network: The network that gives Co-Mixup's saliency.
        canvases: The network's training canvases. The visible share is measured on the first of them.
        path: The PNG file to write.
    """
    first = [int((canvases.labels == label).nonzero()[0, 0]) for label in range(len(_COLOURS))]
    shown = Canvases(*(part[first] for part in canvases))
    height = _TOP + 4 * _SIDE + 3 * (_BAR_GAP + _BAR + _ROW_GAP) + _ROW_GAP + _NOTE_HEIGHT
    figure = Figure(figsize=(_LEFT + len(first) * (_SIDE + _GAP), height))
    _draw_canvases(figure, shown)
    measured = Canvases(*(part[:_MEASURED] for part in canvases))
    top = _TOP + _SIDE + _ROW_GAP
    for row in _mix(network, measured, shown):
        _draw_outputs(figure, top, row, shown)
        top += _SIDE + _BAR_GAP + _BAR + _ROW_GAP
    add_text(figure, _LEFT, top - 0.06, _NOTE, color=GREY)
    figure.savefig(path, dpi=_DOTS_PER_INCH)


def _mix(network: nn.Module, canvases: Canvases, shown: Canvases) -> list[_Row]:
    draws = torch.Generator()
    ways: dict[str, Callable[..., Iterator[Cover]]] = {
        "MixUp": partial(mix_in_pairs, draw=draw_mixup),
        "CutMix": partial(mix_in_pairs, draw=draw_cutmix),
        "Co-Mixup": partial(mix_by_comixup, network=network),
    }
    rows = []
    for name, mix in ways.items():
        [cover] = mix(shown, draws=draws.manual_seed(0))
        rows.append(_Row(name, cover, visible_share(mix(canvases, draws=draws.manual_seed(0)), canvases)))
    return rows


def _draw_canvases(figure: Figure, shown: Canvases) -> None:
    """Draw the inputs below the names of their classes."""
    add_text(figure, 0.1, _TOP + 0.4, "canvases", fontsize=13, fontweight="bold")
    for column, image in enumerate(paint(cover_unmixed(len(_COLOURS), shown.images.shape[-1]), shown)):
        left, colour = _LEFT + column * (_SIDE + _GAP), _COLOURS[column]
        name = {"ha": "center", "color": colour, "fontsize": 14, "fontweight": "bold"}
        add_text(figure, left + _SIDE / 2, 0.07, str(int(shown.labels[column])), **name)
        _draw_image(add_panel(figure, left, _TOP, _SIDE), image, colour)


def _draw_outputs(figure: Figure, top: float, row: _Row, shown: Canvases) -> None:
    """Draw the outputs of a way of mixing, each above its target."""
    add_text(figure, 0.1, top + 0.3, row.name, fontsize=13, fontweight="bold")
    add_text(figure, 0.1, top + 0.56, f"bars filled: {100 * row.visible:.0f} %", fontsize=10)
    weights, kept = row.cover.weights().tolist(), row.cover.kept(shown.plates).tolist()
    for column, image in enumerate(paint(row.cover, shown)):
        left = _LEFT + column * (_SIDE + _GAP)
        _draw_image(add_panel(figure, left, top, _SIDE), image, GREY)
        bar = add_panel(figure, left, top + _SIDE + _BAR_GAP, _SIDE, _BAR)
        draw_target(bar, weights[column], kept[column])


def paint(cover: Cover, canvases: Canvases) -> Tensor:
    """Paint outputs, tinted with the colour of each canvas, and more so on its plate.

    Args:
        cover: Where each canvas goes.
        canvases: One canvas for each colour.

    Returns:
        (outputs, H, W, 3) from 0 to 1.
    """
    colours = torch.tensor([to_rgb(colour) for colour in _COLOURS])[:, None, None]
    images, plates = canvases.images.movedim(1, -1), canvases.plates.movedim(1, -1)
    strength = torch.where(plates > 0, _BRIGHT, _TINT)
    return torch.einsum("mnhw,nhwc->mhwc", cover.parts, images * (1 - strength * (1 - colours)))


def draw_target(axis: Axes, weights: list[float], kept: list[float]) -> None:
    """Draw a target as a bar, as wide as each canvas's weight and filled as far as its plate is in the image."""
    start = 0.0
    for weight, part, colour in zip(weights, kept, _COLOURS, strict=True):
        for height, alpha in ((1.0, _PALE), (part, 1.0)):
            axis.add_patch(Rectangle((start, 0), weight, height, color=colour, alpha=alpha, linewidth=0))
        if weight >= _LEAST_NAMED_WEIGHT:
            text = axis.text(start + weight / 2, 0.48, f"{weight:.0%}", ha="center", va="center", fontsize=8)
            text.set_path_effects([withStroke(linewidth=2, foreground="white")])
        start += weight
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.set_axis_off()


def _draw_image(axis: Axes, image: Tensor, frame: str) -> None:
    axis.imshow(image.numpy(), interpolation="nearest")
    draw_frame(axis, frame)
