"""The figures of the hyper-parameters: the same images mixed with several values of one of them."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from examples.gallery_parts.group import Group, drawn_prior, inputs_per_output, kept_saliency, mix
from examples.gallery_parts.panels import GREY, add_panel, add_text, draw_use
from lightning_comixup import Hyperparameters, MixedBatch
from lightning_comixup.plotting.panels import draw_input, draw_masks


class Sweep(NamedTuple):
    """The values of a hyper-parameter that a figure shows."""

    name: str
    symbol: str
    values: tuple[float, ...]
    shows_prior: bool = False  # next to the use of each input


SWEEPS = (
    Sweep("smoothness", "β", (0.0, 0.16, 0.32, 1.0)),
    Sweep("diversity", "γ", (0.0, 1.0, 4.0)),
    Sweep("penalty_threshold", "τ", (0.5, 0.83, 1.2, 2.0)),
    Sweep("prior_weight", "η", (0.0, 0.05, 0.5), shows_prior=True),
    Sweep("alpha", "α", (0.2, 2.0, 1000.0), shows_prior=True),
    Sweep("grid_size", "grid", (2, 4, 8, 16)),
)

# Inches.
_SIDE, _GAP = 0.98, 0.05
_LEFT, _TOP, _BOTTOM = 1.28, 0.34, 0.06
_BETWEEN = 0.16  # between values
_USE_GAP, _USE = 0.16, 0.72


def draw_strip(group: Group, sweep: Sweep) -> Figure:
    """Draw the labelings and the mixed batch for each value."""
    across = len(group.images) * (_SIDE + _GAP)
    pitch = 2 * (_SIDE + _GAP) + _BETWEEN
    size = (_LEFT + across + _USE_GAP + _USE + 0.1, _TOP + len(sweep.values) * pitch - _BETWEEN + _BOTTOM)
    figure = Figure(figsize=size)
    _draw_legend(figure, group)
    heading = "use of each,\n• its prior" if sweep.shows_prior else "use of each"
    place = (_LEFT + across + _USE_GAP + _USE / 2, _TOP - 0.04)
    add_text(figure, *place, heading, ha="center", va="bottom", color=GREY, fontsize=8)
    for row, value in enumerate(sweep.values):
        mixed = mix(group, **{sweep.name: value})
        top = _TOP + row * pitch
        _describe(figure, top, sweep, value, (inputs_per_output(mixed), kept_saliency(group, mixed)))
        _draw_outputs(figure, top, group, mixed)
        use = add_panel(figure, _LEFT + across + _USE_GAP, top, _USE, 2 * _SIDE + _GAP - 0.14)
        prior = drawn_prior(group, **{sweep.name: value}) if sweep.shows_prior else ()
        draw_use(use, mixed.mixing_weights.sum(0).tolist(), group.colours, prior)
    return figure


def _draw_legend(figure: Figure, group: Group) -> None:
    handles = [Patch(color=colour, label=name) for name, colour in zip(group.names, group.colours, strict=True)]
    left = _LEFT / figure.get_figwidth()
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(left, 1), borderaxespad=0.2, borderpad=0,
        ncols=len(handles), frameon=False, fontsize=9, handlelength=1, handleheight=1,
    )  # fmt: skip


def _describe(figure: Figure, top: float, sweep: Sweep, value: float, measured: tuple[float, float]) -> None:
    """Write the value and its measurements next to its row."""
    shown = f"{value} × {value}" if sweep.name == "grid_size" else f"{sweep.symbol} = {value:g}"
    add_text(figure, 0.08, top + 0.3, shown, fontsize=12, fontweight="bold")
    if value == getattr(Hyperparameters(), sweep.name):
        add_text(figure, 0.08, top + 0.54, "the default", color=GREY)
    inputs, kept = measured
    add_text(figure, 0.08, top + 0.84, f"{inputs:.1f} inputs\nper output", linespacing=1.3)
    add_text(figure, 0.08, top + 1.3, f"{kept:.0%} of an\nimage's saliency", linespacing=1.3)


def _draw_outputs(figure: Figure, top: float, group: Group, mixed: MixedBatch) -> None:
    """Draw the label maps, and the mixed images below them."""
    for output, masks in enumerate(mixed.masks[0]):
        left = _LEFT + output * (_SIDE + _GAP)
        draw_masks(add_panel(figure, left, top, _SIDE), masks, group.colours)
        draw_input(add_panel(figure, left, top + _SIDE + _GAP, _SIDE), mixed.inputs[output], None, "black")
