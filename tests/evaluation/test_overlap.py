from __future__ import annotations

import pytest
import torch

from examples.evaluation.overlap import intersection_over_union

_BOX = torch.tensor([0.0, 0, 4, 4])


@pytest.mark.parametrize(
    ("other", "clamped", "unclamped"),
    [
        ([0, 0, 4, 4], 1, 1),
        ([2, 0, 6, 4], 8 / 24, 8 / 24),
        ([1, 1, 3, 3], 4 / 16, 4 / 16),
        ([6, 0, 10, 4], 0, -8 / 40),  # disjoint on one axis: -2 x 4
        ([8, 8, 12, 12], 0, 1),  # disjoint on both: -4 x -4 = 16, divided by 16 + 16 - 16
        ([8, 9, 12, 13], 0, 20 / 12),  # even larger
    ],
)
def test_known_boxes(other: list[float], clamped: float, unclamped: float) -> None:
    others = torch.tensor([other, [100.0, 0, 101, 4]])
    assert intersection_over_union(_BOX, others).tolist() == pytest.approx([clamped, 0])
    assert float(intersection_over_union(_BOX, others, clamped=False)[0]) == pytest.approx(unclamped)
