"""Pictures of mixed batches (matplotlib, extra `plot`; imported only when a picture is made)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_comixup.functional import MixedBatch
from lightning_comixup.hyperparameters import check_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

# A row shows at most this many sources, those of the largest weight.
_MOST_SOURCES = 3
# One colour per source in every row (blue, orange, green of the colour-blind-safe Okabe-Ito palette), then grey.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#999999")
_COLUMN_INCHES, _ROW_INCHES, _TITLE_INCHES = 1.7, 1.85, 0.5
# Classes are named under the bars up to this many.
_MOST_NAMED_CLASSES = 12


class _Row(NamedTuple):
    """What one row shows."""

    output: int
    sources: list[int]  # by weight, largest first
    masks: Floats  # (sources + 1, *grid), the last: all other inputs


def plot_mixed_batch(
    inputs: Tensor,
    mixed: MixedBatch,
    *,
    saliency: Tensor | None = None,
    class_names: Sequence[str] | None = None,
    rows: int = 4,
) -> Figure:
    """Draw mixed samples beside their sources, saliency, masks and targets.

    Args:
        inputs: (B, C, H, W) the clean inputs, in any range; (B, C, L) signals are drawn as curves.
        mixed: Their mixed batch.
        saliency: (B, H, W) or (B, L); drawn over the sources.
        class_names: (K) names for the targets' bars.
        rows: Mixed samples to draw: the first of those with several sources, then others.

    Returns:
        A matplotlib figure, not attached to pyplot.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If the inputs have more than two spatial dimensions or do not fit the mixed batch.
    """
    figure_type = _matplotlib_figure()
    check_count("rows", rows)
    if inputs.shape != mixed.inputs.shape or inputs.ndim not in (3, 4):
        raise ValueError(
            "inputs must be the clean signals or images, (B, C, L) or (B, C, H, W), of the mixed batch: found "
            f"{tuple(inputs.shape)} and {tuple(mixed.inputs.shape)}."
        )
    shown = _choose_rows(mixed, rows)
    figure = figure_type(
        figsize=((_MOST_SOURCES + 3) * _COLUMN_INCHES, len(shown) * _ROW_INCHES + _TITLE_INCHES), layout="constrained"
    )
    axes = figure.subplots(len(shown), _MOST_SOURCES + 3, squeeze=False)
    for number, (row, row_axes) in enumerate(zip(shown, axes, strict=True)):
        _draw_row(row_axes, row, inputs, mixed, saliency, class_names, is_first=number == 0)
    return figure


def _matplotlib_figure() -> type[Figure]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            'Pictures need matplotlib, which is not installed. Run `pip install "lightning-comixup[plot]"`.'
        ) from error
    return Figure


def _choose_rows(mixed: MixedBatch, rows: int) -> list[_Row]:
    """Choose the outputs to draw, those of several sources first, and what each is made of."""
    weights = mixed.mixing_weights.cpu().numpy()
    several = (weights > 0).sum(1) > 1
    outputs = np.argsort(~several, kind="stable")[:rows]
    found = []
    for output in sorted(int(o) for o in outputs):
        order = np.argsort(-weights[output], kind="stable")
        sources = [int(i) for i in order[:_MOST_SOURCES] if weights[output, i] > 0]
        group, start = _group_of(mixed, output)
        own = group[output - start]
        masks = np.stack([own[source - start] for source in sources])
        rest = np.maximum(1 - masks.sum(0, keepdims=True), 0)
        found.append(_Row(output, sources, np.concatenate([masks, rest]).astype(np.float64)))
    return found


def _group_of(mixed: MixedBatch, output: int) -> tuple[NDArray[np.float32], int]:
    """Return the masks of the group of an output, and the group's first index."""
    start = 0
    for masks in mixed.masks:
        if output < start + len(masks):
            return masks, start
        start += len(masks)
    raise ValueError(f"The masks must cover the batch, found {start} outputs for output {output}.")


def _draw_row(
    axes: NDArray[Any],
    row: _Row,
    inputs: Tensor,
    mixed: MixedBatch,
    saliency: Tensor | None,
    class_names: Sequence[str] | None,
    *,
    is_first: bool,
) -> None:
    for place in range(_MOST_SOURCES):
        axis = axes[place]
        if place >= len(row.sources):
            axis.set_axis_off()
            continue
        source = row.sources[place]
        _draw_input(axis, inputs[source], None if saliency is None else saliency[source], _COLOURS[place])
        axis.set_title(f"source: {float(mixed.mixing_weights[row.output, source]):.0%}", fontsize=9)
    _draw_masks(axes[-3], row.masks)
    _draw_input(axes[-2], mixed.inputs[row.output], None, "black")
    _draw_targets(axes[-1], mixed.targets[row.output], class_names)
    if is_first:
        for axis, title in zip(axes[-3:], ("masks", "mixed", "target"), strict=True):
            axis.set_title(title, fontsize=9)


def _draw_input(axis: Axes, sample: Tensor, saliency: Tensor | None, colour: str) -> None:
    """Draw an image or a signal in a frame of its colour, the saliency over it."""
    values = sample.detach().to(torch.float32).cpu().numpy()
    heat = None if saliency is None else saliency.detach().to(torch.float32).cpu().numpy()
    if values.ndim == 2:
        axis.plot(values.T, color=colour, linewidth=0.8)
        if heat is not None:
            axis.fill_between(
                np.arange(len(heat)), values.min(), _scaled(heat) * np.ptp(values) + values.min(), alpha=0.3
            )
    else:
        image = _scaled(values.transpose(1, 2, 0)) if len(values) == 3 else _scaled(values[0])
        axis.imshow(image, cmap="gray")
        if heat is not None:
            axis.imshow(heat, cmap="inferno", alpha=0.55)
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_edgecolor(colour)
        spine.set_linewidth(2.0)


def _scaled(values: NDArray[Any]) -> NDArray[Any]:
    """Map values linearly to [0, 1]."""
    low, high = values.min(), values.max()
    return np.asarray((values - low) / max(high - low, np.finfo(np.float32).tiny))


def _draw_masks(axis: Axes, masks: Floats) -> None:
    """Draw the cells in their sources' colours, half cells in the mean of both."""
    from matplotlib.colors import to_rgb

    palette = np.array([to_rgb(colour) for colour in (*_COLOURS[: len(masks) - 1], _COLOURS[-1])])
    cells = np.tensordot(np.moveaxis(masks, 0, -1), palette, axes=1)
    if cells.ndim == 2:  # a signal's cells, as a strip
        cells = cells[None]
    axis.imshow(cells, aspect="auto" if cells.shape[0] == 1 else "equal")
    axis.set_xticks(np.arange(-0.5, cells.shape[1]), [])
    axis.set_yticks(np.arange(-0.5, cells.shape[0]), [])
    axis.tick_params(length=0)
    axis.grid(color="white", linewidth=1.0)


def _draw_targets(axis: Axes, target: Tensor, class_names: Sequence[str] | None) -> None:
    """Draw the class probabilities as bars; with many classes only those above zero are named."""
    shares = target.detach().cpu().numpy()
    names = list(class_names) if class_names is not None else [str(k) for k in range(len(shares))]
    kept = np.arange(len(shares)) if len(shares) <= _MOST_NAMED_CLASSES else np.flatnonzero(shares > 0)
    axis.bar(np.arange(len(kept)), shares[kept], color="0.35")
    axis.set_xticks(np.arange(len(kept)), [names[k] for k in kept], fontsize=7)
    axis.set_ylim(0, 1)
    axis.set_yticks([0, 0.5, 1], ["0", "", "1"], fontsize=7)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
