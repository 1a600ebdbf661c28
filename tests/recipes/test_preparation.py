"""The scripts that arrange and resize images."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.recipes import arrange_tiny_imagenet
from tests.recipes.layouts import write_image, write_tiny_imagenet


def test_tiny_imagenet_is_arranged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("PIL")
    write_tiny_imagenet(tmp_path)
    images = tmp_path / "val" / "images"
    contents = {path.name: path.read_bytes() for path in images.iterdir()}
    arrange_tiny_imagenet.main([str(tmp_path)])
    assert capsys.readouterr().out == "3 images moved into the folders of their classes.\n"
    found = {path.relative_to(images).as_posix(): path.read_bytes() for path in images.glob("*/*")}
    assert found == {f"n{label:08}/val_{label}.JPEG": contents[f"val_{label}.JPEG"] for label in range(3)}
    assert arrange_tiny_imagenet.arrange(tmp_path) == 0  # a second time


def test_an_image_is_missing(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    write_tiny_imagenet(tmp_path)
    (tmp_path / "val" / "images" / "val_1.JPEG").unlink()
    with pytest.raises(FileNotFoundError, match=r"names val_1\.JPEG"):
        arrange_tiny_imagenet.arrange(tmp_path)


def test_no_annotations(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"val_annotations\.txt"):
        arrange_tiny_imagenet.arrange(tmp_path)


def test_resizing(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    source, destination = tmp_path / "source", tmp_path / "destination"
    write_image(source / "train" / "n00000000" / "a.JPEG", (60, 40))
    write_image(source / "val" / "n00000000" / "b.JPEG", (30, 50))
    from examples.recipes.resizing import resize_all

    resize_all(source, destination, (16, 20), workers=1)
    sizes: dict[str, tuple[int, int]] = {}
    for path in destination.glob("*/*/*/*"):
        with image.open(path) as resized:
            sizes[path.relative_to(destination).as_posix()] = resized.size
    assert sizes == {
        "16/train/n00000000/a.JPEG": (24, 16),
        "16/val/n00000000/b.JPEG": (16, 27),
        "20/train/n00000000/a.JPEG": (30, 20),
        "20/val/n00000000/b.JPEG": (20, 33),
    }


def test_nothing_to_resize(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    from examples.recipes.resizing import resize_all

    with pytest.raises(FileNotFoundError, match="found no image"):
        resize_all(tmp_path, tmp_path / "out", (16,), workers=1)
