from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from examples.evaluation.calibration import Reliability
from examples.evaluation.localization import Localization
from examples.evaluation.localization_strip import draw_localizations
from examples.evaluation.normalization import Normalization
from examples.evaluation.reliability_diagram import draw_reliability
from examples.evaluation.robustness import Robustness
from examples.evaluation.robustness_chart import draw_robustness


def _bars(axis: Any) -> list[Any]:
    """Return left edge, bottom and height of the bars with a positive height."""
    bars = [patch for patch in axis.patches if isinstance(patch, Rectangle) and patch.get_height() > 0]
    return [pytest.approx((bar.get_x(), bar.get_y(), bar.get_height())) for bar in bars]


def test_reliability_bars() -> None:
    nan = float("nan")
    counts, accuracy = torch.tensor([0.0, 30, 10, 0]).double(), torch.tensor([nan, 0.25, 0.875, nan]).double()
    confidence = torch.tensor([nan, 0.375, 0.625, nan]).double()
    edges = torch.linspace(0, 1, 5).double()
    figure = draw_reliability(Reliability(edges, counts, accuracy, confidence), 0.15625)
    figure.canvas.draw()
    gaps, numbers = figure.axes
    # First the accuracies, then the gap by which the confidence exceeds the first and falls short of the second.
    assert _bars(gaps) == [(0.25, 0, 0.25), (0.5, 0, 0.875), (0.25, 0.25, 0.125), (0.5, 0.625, 0.25)]
    assert _bars(numbers) == [(0.25, 0, 30), (0.5, 0, 10)]
    assert [text.get_text() for text in numbers.texts] == ["", "30", "10", ""]
    assert figure.get_suptitle() == "Calibration error 15.62% (4 bins)"


@pytest.mark.parametrize("channels", [1, 3])
def test_a_strip_of_boxes(channels: int) -> None:
    box, truth = torch.tensor([1.0, 2, 5, 6]), torch.tensor([[1.0, 2, 5, 7], [0, 0, 2, 2]])
    one = Localization(torch.zeros(channels, 8, 8), torch.rand(8, 8), box, truth, True, 0.8, 0.8)
    figure = draw_localizations(
        [one, one._replace(is_right=False), one._replace(overlap=0.4)], Normalization([0.5], [0.5])
    )
    figure.canvas.draw()
    titles = [axis.get_title() for axis in figure.axes[:3]]
    assert titles == ["IoU 0.80 ✓\nclass ✓", "IoU 0.80 ✓\nclass ✗", "IoU 0.40 ✗\nclass ✓"]
    for axis in figure.axes:
        # Pixel 1 starts at 0.5 in matplotlib's coordinates.
        assert _bars(axis) == [(0.5, 1.5, 4), (0.5, 1.5, 5), (-0.5, -0.5, 2)]
    # The image is within [0, 1] once the normalisation is undone.
    assert np.all(np.asarray(figure.axes[0].images[0].get_array()) == 0.5)


def test_noise_as_a_line_and_changes_as_bars() -> None:
    found = [Robustness("much", 0.25, 8, 0.2), Robustness("little", 0.75, 8, 0.1), Robustness("FGSM", 0.5, 8)]
    figure = draw_robustness(0.875, found)
    figure.canvas.draw()
    line, bars = figure.axes
    assert np.asarray(line.lines[0].get_xydata()).tolist() == [[0, 0.875], [0.1, 0.75], [0.2, 0.25]]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["unchanged", "FGSM"]
    assert [bar.get_width() for bar in bars.patches if isinstance(bar, Rectangle)] == [0.875, 0.5]
