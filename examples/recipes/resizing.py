"""Store ImageNet's images in several sizes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from PIL import Image
from rich.progress import track

from examples.processes import spread

_SUFFIXES = {".jpeg", ".jpg"}


def resize_all(source: Path, destination: Path, sides: Sequence[int], workers: int) -> None:
    """Write all images in all sizes.

    Raises:
        FileNotFoundError: If there are no images.
    """
    paths = [path for path in source.glob("*/*/*") if path.suffix.lower() in _SUFFIXES]
    if not paths:
        raise FileNotFoundError(f"{source} must contain train/CLASS/IMAGE and val/CLASS/IMAGE, found no image.")
    resize_one = partial(resize, source=source, destination=destination, sides=sides)
    with closing(spread(resize_one, paths, workers, _prepare_nothing)) as resized:
        for _ in track(resized, "Resizing", total=len(paths)):
            pass


def _prepare_nothing() -> None:
    """Do nothing, because a process needs no preparation."""


def resize(path: Path, source: Path, destination: Path, sides: Sequence[int]) -> None:
    """Write one image in all sizes."""
    targets = {side: destination / str(side) / path.relative_to(source) for side in sides}
    missing = {side: target for side, target in targets.items() if not target.is_file()}
    if not missing:
        return
    with Image.open(path) as image:
        colours = image.convert("RGB")
    for side, target in missing.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f"{target.name}.part")  # so that an interrupted run leaves no broken image
        colours.resize(scaled(colours.size, side), Image.Resampling.BICUBIC).save(unfinished, "JPEG")
        unfinished.rename(target)


def scaled(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the size (width, height), scaled to a shorter side of length `side`."""
    shorter = min(size)
    width, height = (round(length * side / shorter) for length in size)
    return width, height
