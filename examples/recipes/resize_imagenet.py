"""Store ImageNet at the sizes of its phases: `python -m examples.recipes.resize_imagenet SOURCE DESTINATION`.

SOURCE holds `train/CLASS/*` and `val/CLASS/*`; each image is written to `DESTINATION/SIDE/...` for each side, its
shorter side of that length. Images that are there already are left alone.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from PIL import Image
from rich.progress import track

_SIDES = (160, 352)  # the authors'
_SUFFIXES = {".jpeg", ".jpg"}
_CHUNK = 64  # images handed to a process at once; a heuristic


def main() -> None:
    """Read the command line and resize."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path, help="holds train/ and val/, each with a folder per class")
    parser.add_argument("destination", type=Path)
    parser.add_argument("--sides", type=int, nargs="+", default=_SIDES, help="pixels (default: 160 352)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: one per core)")
    options = parser.parse_args()
    resize_all(options.source, options.destination, options.sides, options.workers)


def resize_all(source: Path, destination: Path, sides: Sequence[int], workers: int | None) -> None:
    """Write all images at all sides.

    Raises:
        FileNotFoundError: If there are no images.
    """
    paths = [path for path in source.glob("*/*/*") if path.suffix.lower() in _SUFFIXES]
    if not paths:
        raise FileNotFoundError(f"{source} must hold train/CLASS/IMAGE and val/CLASS/IMAGE, found no image there.")
    resize_one = partial(resize, source=source, destination=destination, sides=sides)
    with ProcessPoolExecutor(workers) as pool:
        for _ in track(pool.map(resize_one, paths, chunksize=_CHUNK), "Resizing", total=len(paths)):
            pass


def resize(path: Path, source: Path, destination: Path, sides: Sequence[int]) -> None:
    """Write one image at all sides."""
    targets = {side: destination / str(side) / path.relative_to(source) for side in sides}
    missing = {side: target for side, target in targets.items() if not target.is_file()}
    if not missing:
        return
    with Image.open(path) as image:
        colours = image.convert("RGB")
    for side, target in missing.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f"{target.name}.part")  # an interrupted run leaves no broken image
        colours.resize(scaled(colours.size, side), Image.Resampling.BICUBIC).save(unfinished, "JPEG")
        unfinished.rename(target)


def scaled(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the size at which the shorter side has that length."""
    shorter = min(size)
    width, height = (round(length * side / shorter) for length in size)
    return width, height


if __name__ == "__main__":
    main()
