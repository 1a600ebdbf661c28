"""The panels of a picture: an input in its frame, and the cells of a labeling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRAME_WIDTH = 2.0  # points
# Lines between cells are 1 point wide up to this many cells per side, and thinner on finer grids. Heuristic.
_CELLS_OF_WIDE_LINES = 4


def draw_input(axis: Axes, sample: Tensor, saliency: Tensor | None, colour: str) -> None:
    """Draw an image or a signal in a coloured frame, with the saliency over it.

    Args:
        axis: Where to draw.
        sample: (C, H, W) in any range, or (C, L).
        saliency: (H, W) or (L,).
        colour: The colour of the frame and of a signal's curves.
    """
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
    draw_frame(axis, colour)


def draw_frame(axis: Axes, colour: str) -> None:
    """Draw a frame in place of the axis and its ticks."""
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_edgecolor(colour)
        spine.set_linewidth(FRAME_WIDTH)


def _scaled(values: NDArray[Any]) -> NDArray[Any]:
    """Map values linearly to [0, 1]."""
    low, high = values.min(), values.max()
    return np.asarray((values - low) / max(high - low, np.finfo(np.float32).tiny))


def draw_masks(axis: Axes, masks: NDArray[np.floating[Any]], colours: Sequence[str]) -> None:
    """Draw the cells in the colours of their sources. A cell that averages two sources has both colours.

    Args:
        axis: Where to draw.
        masks: (N, H, W) or (N, L) the masks of one output.
        colours: The colours of the N sources.
    """
    from matplotlib.patches import Polygon, Rectangle

    if masks.ndim == 2:  # a signal's cells, as a strip
        masks = masks[:, None]
    height, width = masks.shape[1:]
    axis.set(xlim=(0, width), ylim=(height, 0), aspect="auto" if height == 1 else "equal")
    axis.set_axis_off()
    edge = {"edgecolor": "white", "linewidth": min(1.0, _CELLS_OF_WIDE_LINES / max(height, width))}
    for y, x in np.ndindex(height, width):
        used = np.flatnonzero(masks[:, y, x])
        axis.add_patch(Rectangle((x, y), 1, 1, facecolor=colours[used[0]], **edge))
        for other in used[1:]:
            corner = [(x + 1, y), (x + 1, y + 1), (x, y + 1)]
            axis.add_patch(Polygon(corner, facecolor=colours[other], **edge))
