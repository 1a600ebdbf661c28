"""The figures of the steps: saliency, grid, labeling, mixed batch."""

from __future__ import annotations

from matplotlib.figure import Figure

from examples.gallery_parts.group import GRID, Group, pooled
from examples.gallery_parts.panels import GREY, add_panel, add_text, draw_heat, draw_shares, draw_tag
from lightning_comixup import MixedBatch
from lightning_comixup.plotting.panels import draw_input, draw_masks

_BLACK = "black"
# Inches.
_SIDE, _GAP = 1.14, 0.08
_LEFT, _TOP = 0.86, 0.3
_TAG = 0.22
_BREAK = 0.34  # between the rows of inputs and those of outputs
_BAR = 0.2

_NAME = 9.5  # points

_SMALL, _SMALL_GAP = 0.92, 0.06  # of the overview
_ARROW = 0.3


def draw_steps(group: Group, mixed: MixedBatch) -> Figure:
    """Draw the steps of a group, one per row. The upper rows have a column per input, the lower ones per output."""
    count, pitch = len(group.images), _SIDE + _GAP
    height = _TOP + 5 * pitch + 2 * _BREAK + _BAR
    figure = Figure(figsize=(_LEFT + count * pitch, height))
    tops = [_TOP + row * pitch + (_BREAK if row > 2 else 0) for row in range(6)]
    headings = ("inputs", "saliency", "pooled to\nthe grid", "labeling", "mixed\nbatch", "targets")
    for top, heading in zip(tops, headings, strict=True):
        middle = top + (_BAR if heading == "targets" else _SIDE) / 2
        add_text(figure, _LEFT - 0.12, middle, heading, ha="right", va="center", fontsize=10)
    cells = pooled(group.saliency, mixed.masks[0].shape[-1])
    for k, (name, colour) in enumerate(zip(group.names, group.colours, strict=True)):
        left = _LEFT + k * pitch
        draw_tag(add_panel(figure, left, _TOP - _TAG, _SIDE, _TAG), name, colour, _NAME)
        draw_input(add_panel(figure, left, tops[0], _SIDE), group.images[k], None, colour)
        draw_heat(add_panel(figure, left, tops[1], _SIDE), group.saliency[k], colour)
        draw_heat(add_panel(figure, left, tops[2], _SIDE), cells[k], colour)
        above = tops[3] - 0.2
        add_text(figure, left + _SIDE / 2, above, f"output {k + 1}", ha="center", color=GREY)
        draw_masks(add_panel(figure, left, tops[3], _SIDE), mixed.masks[0][k], group.colours)
        draw_input(add_panel(figure, left, tops[4], _SIDE), mixed.inputs[k], None, _BLACK)
        draw_shares(add_panel(figure, left, tops[5], _SIDE, _BAR), mixed.targets[k].tolist(), group.colours)
    return figure


def draw_overview(group: Group, mixed: MixedBatch) -> Figure:
    """Draw the main steps in four blocks from left to right."""
    rows = len(group.images) // 2
    pitch = _SMALL + _SMALL_GAP
    block = 2 * pitch + _ARROW
    figure = Figure(figsize=(4 * block - _ARROW, _TOP + rows * pitch))
    headings = ("inputs", "saliency", "labeling", "mixed batch")
    for column, heading in enumerate(headings):
        middle = column * block + pitch - _SMALL_GAP / 2
        add_text(figure, middle, 0.06, heading, ha="center", fontsize=11, fontweight="bold")
        if column:
            place = (column * block - (_ARROW + _SMALL_GAP) / 2, _TOP + rows * pitch / 2)
            add_text(figure, *place, "→", ha="center", va="center", fontsize=18, color=GREY)
    for k in range(2 * rows):
        left, top = _SMALL_GAP / 2 + k % 2 * pitch, _TOP + k // 2 * pitch
        panels = [add_panel(figure, left + column * block, top, _SMALL) for column in range(4)]
        draw_input(panels[0], group.images[k], None, group.colours[k])
        draw_heat(panels[1], pooled(group.saliency, 7 * GRID)[k], group.colours[k])
        draw_masks(panels[2], mixed.masks[0][k], group.colours)
        draw_input(panels[3], mixed.inputs[k], None, _BLACK)
    return figure
