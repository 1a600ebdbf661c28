"""The README's first picture: the same photographs mixed with MixUp, CutMix and Co-Mixup, each above its target."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath
from torch import Tensor

from examples.gallery_parts.group import Group, kept_saliency
from examples.gallery_parts.panels import add_panel, add_text, draw_tag, text_on
from examples.gallery_parts.ways import mix_by_comixup, mix_by_cutmix, mix_by_mixup
from lightning_comixup import MixedBatch
from lightning_comixup.plotting.panels import draw_frame


class Theme(NamedTuple):
    """The colours of GitHub's pages, on which the picture has no visible edge."""

    background: str
    text: str
    note: str
    frame: str


LIGHT = Theme(background="#ffffff", text="#1f2328", note="#59636e", frame="#818b98")
DARK = Theme(background="#0d1117", text="#f0f6fc", note="#9198a1", frame="#656c76")


class _Row(NamedTuple):
    """A way of mixing, a note on the saliency that it keeps, and its mixed batch."""

    name: str
    note: str
    mixed: MixedBatch


# Twice the resolution of a picture that is 900 pixels wide. A photograph of 224 pixels is drawn pixel by pixel.
_DOTS_PER_INCH = 200
# Inches.
_SIDE, _GAP = 1.12, 0.18
_MARGIN, _LEFT, _TOP = 0.02, 1.36, 0.24
_TAG = 0.2
_BAR_GAP, _BAR, _BELOW_GAP = 0.04, 0.3, 0.03
_ROW_GAP = 0.2
_NOTE_GAP = 0.04
_PADDING = 0.02  # on each side of a name in a bar
_POINTS = 72  # per inch
# Points.
_HEADING, _NOTE, _NAME, _WORDS = 10.5, 7.5, 8.5, 7.0
_IN_BAR: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": _WORDS, "linespacing": 1.1}


def draw_hero(group: Group, theme: Theme) -> Figure:
    """Draw the inputs, and below them a row of outputs with their targets for each way of mixing."""
    rows = _mix_rows(group)
    pitch = _SIDE + _BAR_GAP + _BAR + _ROW_GAP
    width = _LEFT + len(group.images) * (_SIDE + _GAP) - _GAP + _MARGIN
    height = _TOP + _SIDE + _ROW_GAP + len(rows) * pitch
    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, facecolor=theme.background)
    _draw_inputs(figure, group, theme)
    for number, row in enumerate(rows):
        _draw_row(figure, _TOP + _SIDE + _ROW_GAP + number * pitch, row, group, theme)
    return figure


def _mix_rows(group: Group) -> list[_Row]:
    """Mix the group in each way.

    MixUp and CutMix use each part of each image exactly once overall, whatever the ratio and the box, so they always
    keep 100 %.
    """
    rows = (
        ("MixUp", "always keeps", mix_by_mixup(group)),
        ("CutMix", "always keeps", mix_by_cutmix(group)),
        ("Co-Mixup", "keeps", mix_by_comixup(group)),
    )
    return [
        _Row(name, f"{keeps} {_percent(kept_saliency(group, mixed))}\nof the saliency", mixed)
        for name, keeps, mixed in rows
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _draw_inputs(figure: Figure, group: Group, theme: Theme) -> None:
    """Draw the inputs below their names."""
    _describe(figure, _TOP, "inputs", "", theme)
    for column, (name, colour) in enumerate(zip(group.names, group.colours, strict=True)):
        left = _LEFT + column * (_SIDE + _GAP)
        draw_tag(add_panel(figure, left, _TOP - _TAG, _SIDE, _TAG), name, colour, _NAME)
        _draw_image(add_panel(figure, left, _TOP, _SIDE), group.images[column], colour)


def _draw_row(figure: Figure, top: float, row: _Row, group: Group, theme: Theme) -> None:
    """Draw the outputs of a way of mixing, each above its target."""
    _describe(figure, top, row.name, row.note, theme)
    for column, (image, shares) in enumerate(zip(row.mixed.inputs, row.mixed.targets.tolist(), strict=True)):
        left = _LEFT + column * (_SIDE + _GAP)
        _draw_image(add_panel(figure, left, top, _SIDE), image, theme.frame)
        bar = add_panel(figure, left, top + _SIDE + _BAR_GAP, _SIDE, _BAR)
        draw_target(bar, shares, group, theme.note)


def _describe(figure: Figure, top: float, name: str, note: str, theme: Theme) -> None:
    """Write a row's name and note to the left of its images."""
    middle = top + _SIDE / 2
    add_text(figure, _MARGIN, middle, name, va="bottom", color=theme.text, fontsize=_HEADING, fontweight="bold")
    add_text(figure, _MARGIN, middle + _NOTE_GAP, note, color=theme.note, fontsize=_NOTE, linespacing=1.3)


def _draw_image(axis: Axes, image: Tensor, frame: str) -> None:
    """Draw an image with its own brightness and contrast, so that rows can be compared."""
    axis.imshow(image.movedim(0, -1).clamp(0, 1).numpy())
    draw_frame(axis, frame)


def draw_target(axis: Axes, shares: Sequence[float], group: Group, outside: str) -> None:
    """Draw a target as one bar, with each input's share in its colour. Names that do not fit inside go below the bar.

    Args:
        axis: Axes as wide as an image.
        shares: Shares of the inputs.
        group: The inputs' names and colours.
        outside: The colour of text below the bar.
    """
    axis.set(xlim=(0, _SIDE), ylim=(0, 1))
    axis.axis("off")
    start, below, middles = 0.0, [], []
    for name, colour, share in zip(group.names, group.colours, shares, strict=True):
        width = share * _SIDE
        middle = start + width / 2
        axis.add_patch(Rectangle((start, 0), width, 1, color=colour, linewidth=0))
        if width >= _width(name) + 2 * _PADDING:
            axis.text(middle, 0.5, f"{name}\n{_percent(share)}", color=text_on(colour), **_IN_BAR)
        elif share:
            below.append(f"{name} {_percent(share)}")
            middles.append(middle)
        start += width
    if below:
        _write_below(axis, " · ".join(below), fmean(middles), outside)


def _write_below(axis: Axes, words: str, middle: float, colour: str) -> None:
    """Write below a bar, as close to the middle of the named parts as the bar's ends allow."""
    margin = _width(words) / 2
    place = min(max(middle, margin), _SIDE - margin)
    axis.text(place, -_BELOW_GAP / _BAR, words, color=colour, fontsize=_WORDS, ha="center", va="top")


def _width(words: str) -> float:
    """Return the width of a line of text in a bar, in inches."""
    return float(TextPath((0, 0), words, size=_WORDS).get_extents().width) / _POINTS
