from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from lightning_comixup.plotting.panels import draw_frame, draw_masks

_COLOURS = ("red", "green", "blue")


def _axis() -> Axes:
    return Figure().add_subplot()


def test_a_cell_has_its_sources_colours() -> None:
    masks = np.zeros((3, 2, 2), np.float32)
    masks[2, 0], masks[0, 1, 0] = 1, 1
    masks[:2, 1, 1] = 0.5
    axis = _axis()
    draw_masks(axis, masks, _COLOURS)
    cells = {patch.get_xy(): patch.get_facecolor() for patch in axis.patches if isinstance(patch, Rectangle)}
    expected = {(0, 0): "blue", (1, 0): "blue", (0, 1): "red", (1, 1): "red"}
    assert cells == {place: to_rgba(colour) for place, colour in expected.items()}
    (half,) = (patch for patch in axis.patches if isinstance(patch, Polygon))
    assert half.get_facecolor() == to_rgba("green")
    np.testing.assert_array_equal(half.get_xy()[:3], [(2, 1), (2, 2), (1, 2)])


@pytest.mark.parametrize(("cells", "width"), [(2, 1.0), (4, 1.0), (8, 0.5), (16, 0.25)])
def test_lines_between_finer_cells_are_thinner(cells: int, width: float) -> None:
    axis = _axis()
    draw_masks(axis, np.ones((1, cells, cells), np.float32), _COLOURS)
    assert {patch.get_linewidth() for patch in axis.patches} == {width}


def test_a_frame_takes_the_place_of_ticks() -> None:
    axis = _axis()
    draw_frame(axis, "green")
    assert len(cast(list[float], axis.get_xticks())) == 0
    assert {spine.get_edgecolor() for spine in axis.spines.values()} == {to_rgba("green")}
