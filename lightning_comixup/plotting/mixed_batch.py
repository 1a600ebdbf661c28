"""The picture of a mixed batch: samples beside their sources, masks and targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_comixup.functional import MixedBatch
from lightning_comixup.plotting.checks import check_picture, names_classes
from lightning_comixup.plotting.panels import draw_input, draw_masks
from lightning_comixup.validation import check_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

# A row shows at most this many sources: those with the largest weights.
_MOST_SOURCES = 3
# One colour for each source of a row, then one for all others (Okabe and Ito's palette, safe for colour blindness).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#999999")
_COLUMN_WIDTHS = (1.0, 1.0, 1.0, 1.0, 1.0, 1.7)  # the sources, masks, mixed, target
_INCHES = 1.75  # the side of an image
_NOTE = "A cell in two colours averages both sources. Each source's share of the cells is its share of the target."
# With at most this many classes, the bars show all of them.
_MOST_NAMED_CLASSES = 12


class _Row(NamedTuple):
    """The contents of one row."""

    output: int
    sources: list[int]  # by weight, largest first
    masks: Floats  # (sources + 1, *grid), the last one for all other inputs together


class _Extras(NamedTuple):
    """Further information about the inputs."""

    saliency: Tensor | None
    classes: list[int | None]  # of each input
    class_names: Sequence[str]


def plot_mixed_batch(
    inputs: Tensor,
    mixed: MixedBatch,
    *,
    targets: Tensor | None = None,
    saliency: Tensor | None = None,
    class_names: Sequence[str] | None = None,
    rows: int = 4,
) -> Figure:
    """Draw mixed samples beside their sources, masks and targets.

    Args:
        inputs: (B, C, H, W) the clean inputs, with values in any range. Signals (B, C, L) are drawn as curves, volumes
            (B, C, D, H, W) by their middle slice.
        mixed: The mixed batch of these inputs. Its targets are drawn only if they are (B, K).
        targets: (B,) the clean integer targets, which name the sources and colour the bars.
        saliency: (B, *spatial), drawn over the sources.
        class_names: The K names of the classes. If None, numbers are shown.
        rows: Number of mixed samples to draw, preferably with several sources.

    Returns:
        A matplotlib figure, not attached to pyplot; `figure.savefig(path)` writes it. A notebook shows it after
        `%matplotlib inline`.

    Raises:
        ImportError: If matplotlib is not installed.
        TypeError: If an argument has the wrong type.
        ValueError: If the inputs are not signals, images or volumes, or an argument does not fit the mixed batch.
    """
    figure_type = require_matplotlib()
    check_count("rows", rows, advice="Leave it out for the default, 4.")
    check_picture(inputs, mixed, targets, saliency, class_names)
    if inputs.ndim == 5:
        inputs, mixed, saliency = _middle_slices(inputs, mixed, saliency)
    classes_count = mixed.targets.shape[1] if mixed.targets.ndim == 2 else 0
    names = [str(k) for k in range(classes_count)] if class_names is None else class_names
    named = targets is not None and names_classes(targets)
    classes = targets.tolist() if targets is not None and named else [None] * len(inputs)
    extras = _Extras(saliency, classes, names)
    shown = _choose_rows(mixed, rows)
    width, height = sum(_COLUMN_WIDTHS) * _INCHES, (len(shown) + 0.5) * _INCHES
    figure = figure_type(figsize=(width, height), layout="constrained")
    axes = figure.subplots(len(shown), len(_COLUMN_WIDTHS), squeeze=False, width_ratios=_COLUMN_WIDTHS)
    for row, row_axes in zip(shown, axes, strict=True):
        _draw_row(row_axes, row, inputs, mixed, extras)
    _draw_headings(figure, axes[0])
    return figure


def require_matplotlib() -> type[Figure]:
    """Return matplotlib's Figure.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            'Pictures need matplotlib, which is not installed. Run `pip install "lightning-comixup[plot]"`.'
        ) from error
    return Figure


def _middle_slices(
    inputs: Tensor, mixed: MixedBatch, saliency: Tensor | None
) -> tuple[Tensor, MixedBatch, Tensor | None]:
    """Return the middle slices of the volumes, with the masks of the cells that the slices cross."""
    depth = inputs.shape[2]
    middle = depth // 2
    masks = tuple(group[:, :, middle * group.shape[2] // depth] for group in mixed.masks)
    sliced = mixed._replace(inputs=mixed.inputs[:, :, middle], masks=masks)
    return inputs[:, :, middle], sliced, None if saliency is None else saliency[:, middle]


def _choose_rows(mixed: MixedBatch, rows: int) -> list[_Row]:
    """Choose the outputs to draw, those with several sources first, and find the sources and masks of each."""
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
    """Return the masks of an output's group, and the group's first index."""
    start = 0
    for masks in mixed.masks:
        if output < start + len(masks):
            return masks, start
        start += len(masks)
    raise AssertionError("checked before: the masks cover the batch")


def _draw_row(axes: NDArray[Any], row: _Row, inputs: Tensor, mixed: MixedBatch, extras: _Extras) -> None:
    for axis in axes[len(row.sources) : _MOST_SOURCES]:
        axis.set_axis_off()
    classes = [extras.classes[source] for source in row.sources]
    for axis, source, target_class, colour in zip(axes, row.sources, classes, _COLOURS, strict=False):
        draw_input(axis, inputs[source], None if extras.saliency is None else extras.saliency[source], colour)
        share = f"{float(mixed.mixing_weights[row.output, source]):.0%}"
        title = share if target_class is None else f"{extras.class_names[target_class]}: {share}"
        axis.set_title(title, color=colour, fontsize=10, fontweight="bold")
    draw_masks(axes[-3], row.masks, _COLOURS)
    draw_input(axes[-2], mixed.inputs[row.output], None, "black")
    shares = mixed.mixing_weights[row.output, row.sources].tolist()
    if mixed.targets.ndim != 2:
        axes[-1].set_axis_off()
        return
    _draw_targets(axes[-1], mixed.targets[row.output], list(zip(classes, shares, strict=True)), extras.class_names)


def _draw_headings(figure: Figure, axes: NDArray[Any]) -> None:
    """Write headings above the columns."""
    for column, heading in ((1, "sources"), (-3, "masks"), (-2, "mixed"), (-1, "target")):
        # The offset leaves room for the titles of the sources.
        axes[column].annotate(
            heading, (0.5, 1.0), (0, 24), "axes fraction", textcoords="offset points", ha="center", fontsize=11
        )
    figure.supxlabel(_NOTE, fontsize=9, color="0.35")


def _draw_targets(
    axis: Axes, target: Tensor, sources: list[tuple[int | None, float]], class_names: Sequence[str]
) -> None:
    """Draw the class probabilities as bars, with each source's part in its colour if the source's class is known."""
    shares = target.detach().to(torch.float32).cpu().numpy()
    kept = np.arange(len(shares)) if len(shares) <= _MOST_NAMED_CLASSES else np.flatnonzero(shares > 0)
    axis.bar(np.arange(len(kept)), shares[kept], color=_COLOURS[-1])
    tops = dict.fromkeys(kept.tolist(), 0.0)
    for (target_class, share), colour in zip(sources, _COLOURS, strict=False):
        if target_class is not None:
            axis.bar(kept.tolist().index(target_class), share, bottom=tops[target_class], color=colour)
            tops[target_class] += share
    axis.set_xticks(np.arange(len(kept)), [class_names[int(k)] for k in kept], fontsize=8)
    # Class probabilities are at most 1, but other targets need not be.
    axis.set(xlim=(-0.6, len(kept) - 0.4), ylim=(min(0, shares.min()), max(1, shares.max())))
    axis.set_yticks([0, 0.5, 1], ["0", "½", "1"], fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
