from __future__ import annotations

from pathlib import Path

import pytest
import torch

from examples.evaluation.boxes import inside, match_boxes, read_boxes


def _write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["path,x0,y0,x1,y1", *lines]), encoding="utf-8")
    return path


def test_several_boxes_of_an_image(tmp_path: Path) -> None:
    found = read_boxes(_write(tmp_path / "boxes.csv", "a/1.png,0,1,2,3", "b.png,5,5,9,9.5", "a/1.png,4,4,6,8"))
    assert {name: boxes.tolist() for name, boxes in found.items()} == {
        "a/1.png": [[0, 1, 2, 3], [4, 4, 6, 8]],
        "b.png": [[5, 5, 9, 9.5]],
    }


def test_images_are_found_by_the_end_of_their_path() -> None:
    boxes = {"a/1.png": torch.zeros(1, 4), "/data/b/2.png": torch.ones(1, 4)}
    matched = match_boxes(boxes, ["/data/b/1.png", "/data/a/1.png", "/data/aa/1.png", "/data/b/2.png"])
    assert {position: float(found[0, 0]) for position, found in matched.items()} == {1: 0, 3: 1}


def test_no_image_has_boxes() -> None:
    with pytest.raises(ValueError, match=r"such as 0, found a.png"):
        match_boxes({"a.png": torch.zeros(1, 4)}, ["0", "1"])


def test_a_box_without_area(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"x0 < x1 and y0 < y1, found \[3.0, 1.0, 2.0, 3.0\] for a.png"):
        read_boxes(_write(tmp_path / "boxes.csv", "a.png,3,1,2,3"))


def test_a_missing_column(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text("path,x0,y0,x1\na.png,0,0,1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="found no y1"):
        read_boxes(path)


def test_pixels_inside_boxes() -> None:
    found = inside(torch.tensor([[1.0, 0, 3, 1], [0, 2, 1, 9]]), height=3, width=4)
    assert found.tolist() == [[False, True, True, False], [False] * 4, [True, False, False, False]]
