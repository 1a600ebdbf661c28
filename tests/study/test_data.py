"""The images of the study: which ones are drawn, and that none is drawn twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from examples.study_parts.choice import missing_data
from examples.study_parts.data import (
    Images,
    draw_split,
    read_cells,
    read_digits,
    read_fashion,
    split_pool,
)
from tests.study.tiny import put_cells, write_fashion


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """Clear the caches, whose data belongs to a single test."""
    yield
    for function in (draw_split, read_cells, read_fashion):
        function.cache_clear()


def _pool(size: int) -> Images:
    return Images(torch.arange(size).view(size, 1, 1, 1).float(), torch.arange(size) % 4)


def test_parts_of_a_split_do_not_overlap_and_are_balanced() -> None:
    split = split_pool(_pool(100), 40, 20, seed=0)
    numbers = [part.pixels.flatten().tolist() for part in split]
    assert [len(part) for part in numbers] == [40, 20, 40]
    assert sorted(number for part in numbers for number in part) == list(range(100))
    assert all(torch.equal(part.labels, part.pixels.flatten().long() % 4) for part in split)
    assert [part.labels.bincount().tolist() for part in split] == [[10] * 4, [5] * 4, [10] * 4]


def test_splits_follow_from_the_seed() -> None:
    one, again, other = (split_pool(_pool(100), 40, 20, seed) for seed in (0, 0, 1))
    assert all(torch.equal(a.pixels, b.pixels) for a, b in zip(one, again, strict=True))
    assert set(one.train.pixels.flatten().tolist()) != set(other.train.pixels.flatten().tolist())


def test_if_few_images_are_left_they_are_for_validation() -> None:
    assert [len(part.labels) for part in split_pool(_pool(100), 90, 20, seed=0)] == [90, 10, 0]


def test_fashion(tmp_path: Path) -> None:
    assert missing_data("fashion", tmp_path) == missing_data("clutter", tmp_path)
    assert "four IDX files" in str(missing_data("fashion", tmp_path))
    write_fashion(tmp_path)
    assert missing_data("fashion", tmp_path) is None
    split = draw_split("fashion", 40, 0, tmp_path)
    assert [tuple(part.pixels.shape) for part in split] == [(40, 1, 28, 28), (160, 1, 28, 28), (50, 1, 28, 28)]
    greys = [(255 * part.pixels[:, 0, 0, 0]).round().long() for part in split]
    assert torch.equal(torch.cat(greys[:2]).sort().values, torch.arange(200))
    assert torch.equal(greys[2], torch.arange(200, 250))
    assert all(torch.equal(grey % 10, part.labels) for grey, part in zip(greys, split, strict=True))


def test_clutter_contains_only_items_of_its_own_part(tmp_path: Path) -> None:
    write_fashion(tmp_path)
    plain, cluttered = (draw_split(part, 40, 0, tmp_path) for part in ("fashion", "clutter"))
    for items, canvases in zip(plain, cluttered, strict=True):
        assert canvases.pixels.shape == (len(items.labels), 1, 32, 32)
        assert torch.equal(canvases.labels, items.labels)
        greys = {round(255 * float(grey)) for grey in items.pixels[:, 0, 0, 0]}
        assert {round(255 * float(grey)) for grey in canvases.pixels.unique()} <= greys | {0}
        # All pixels of an item are equal, and only brighter scraps can hide a part of it.
        brighter = [(canvas >= item[0, 0, 0]).sum() for canvas, item in zip(canvases.pixels, items.pixels, strict=True)]
        assert min(brighter) >= 14 * 14
    again = draw_split("clutter", 40, 1, tmp_path)
    assert not torch.equal(again.test.pixels, cluttered.test.pixels)


def test_digits_in_clutter() -> None:
    split = draw_split("digits", 600, 0)
    assert [tuple(part.pixels.shape) for part in split] == [(600, 1, 32, 32), (400, 1, 32, 32), (797, 1, 32, 32)]
    digits = read_digits()
    assert digits.pixels.shape == (1797, 1, 12, 12)
    assert float(digits.pixels.min()) == 0
    assert 0.9 < float(digits.pixels.max()) <= 1
    assert missing_data("digits", Path("nowhere")) is None


def test_cells_are_defective_by_probability(monkeypatch: pytest.MonkeyPatch) -> None:
    put_cells(monkeypatch)
    cells = read_cells()
    assert cells.pixels.shape == (1200, 1, 32, 32)
    assert cells.labels.tolist() == [number % 6 == 0 for number in range(1200)]  # 1/3 is not defective
    assert cells.pixels[0, 0, :, 0].tolist() == [1.0] * 16 + [0.0] * 16
    split = draw_split("cells", 600, 0)
    assert [len(part.labels) for part in split] == [600, 400, 200]
    assert [int(part.labels.sum()) for part in split] == [100, 67, 33]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("examples.study_parts.choice.find_spec", lambda name: None)
    assert missing_data("cells", Path()) == 'the package elpv-dataset: python -m pip install -e ".[cells]"'
