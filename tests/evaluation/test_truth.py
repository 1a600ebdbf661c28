from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from examples.evaluation.truth import read_truth


def _write(folder: Path) -> tuple[Path, list[str]]:
    """Write two images, and the same box for both."""
    names = [str(folder / name) for name in ("wide.png", "square.png")]
    for name, size in zip(names, ((40, 20), (20, 20)), strict=True):
        Image.new("L", size).save(name)
    path = folder / "boxes.csv"
    path.write_text("path,x0,y0,x1,y1\nwide.png,10,0,30,20\nsquare.png,10,0,30,20\n", encoding="utf-8")
    return path, names


def test_boxes_of_the_images_as_the_network_sees_them(tmp_path: Path) -> None:
    found = read_truth(*_write(tmp_path), None, None)
    assert {position: boxes.tolist() for position, boxes in found.items()} == {n: [[10, 0, 30, 20]] for n in (0, 1)}


def test_image_sizes_are_read_from_the_files(tmp_path: Path) -> None:
    found = read_truth(*_write(tmp_path), resize=10, crop=10)
    assert found[0].tolist() == [[0, 0, 10, 10]]
    assert found[1].tolist() == [[5, 0, 10, 10]]


def test_resize_without_crop(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="resize and crop go together, found 256 and None"):
        read_truth(*_write(tmp_path), resize=256, crop=None)
