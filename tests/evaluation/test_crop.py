from __future__ import annotations

import pytest
import torch

from examples.evaluation.crop import crop_boxes


def test_resize_then_crop() -> None:
    # The image is resized from 500 x 375 to 341 x 256. The crop then keeps (58, 16) to (282, 240).
    found = crop_boxes(torch.tensor([[100.0, 75, 300, 225], [0, 0, 500, 375]]), 500, 375, resize=256, crop=224)
    assert found.flatten().tolist() == pytest.approx([10.2, 35.2, 146.6, 137.6, 0, 0, 224, 224], abs=1e-4)


def test_a_box_outside_the_crop_loses_its_area() -> None:
    [[x0, _, x1, _]] = crop_boxes(torch.tensor([[0.0, 0, 50, 375]]), 500, 375, resize=256, crop=224).tolist()
    assert x0 == x1 == 0
