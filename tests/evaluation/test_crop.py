from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from examples.evaluation.crop import crop_all, crop_boxes


def test_resize_then_crop() -> None:
    # 500 x 375 becomes 341 x 256, from which (58, 16) to (282, 240) are kept.
    found = crop_boxes(torch.tensor([[100.0, 75, 300, 225], [0, 0, 500, 375]]), 500, 375, resize=256, crop=224)
    assert found.flatten().tolist() == pytest.approx([10.2, 35.2, 146.6, 137.6, 0, 0, 224, 224], abs=1e-4)


def test_a_box_outside_the_crop_loses_its_area() -> None:
    [[x0, _, x1, _]] = crop_boxes(torch.tensor([[0.0, 0, 50, 375]]), 500, 375, resize=256, crop=224).tolist()
    assert x0 == x1 == 0


def test_the_files_tell_their_sizes(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("wide.png", "square.png")]
    for path, size in zip(paths, ((40, 20), (20, 20)), strict=True):
        Image.new("L", size).save(path)
    boxes = torch.tensor([[10.0, 0, 30, 20]])
    found = crop_all({0: boxes, 1: boxes}, paths, resize=10, crop=10)
    assert found[0].tolist() == [[0, 0, 10, 10]]
    assert found[1].tolist() == [[5, 0, 10, 10]]
