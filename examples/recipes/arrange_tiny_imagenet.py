"""Arrange Tiny-ImageNet's validation images by class: `python -m examples.recipes.arrange_tiny_imagenet FOLDER`.

In the archive, the images are in `val/images` and their classes in `val/val_annotations.txt`. Afterwards, each image is
in `val/images/CLASS`. A second run changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from examples.command_line import Parser, one_line_errors

_ON_INTERRUPT = "Stopped. The images moved so far are in their folders. The same command moves the others."


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and move the images."""
    options = parse(arguments)
    with one_line_errors("recipes", _ON_INTERRUPT):
        sys.stdout.write(f"{arrange(options.folder)} images moved into the folders of their classes.\n")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    description = "Arrange Tiny-ImageNet's validation images by class."
    parser = Parser(prog="python -m examples.recipes.arrange_tiny_imagenet", description=description)
    parser.add_argument("folder", type=Path, help="the unpacked archive, tiny-imagenet-200")
    return parser.parse_args(arguments)


def arrange(folder: Path) -> int:
    """Move each validation image into the folder of its class and return how many were moved.

    Raises:
        FileNotFoundError: If the list of classes, or an image that it names, is missing.
    """
    annotations = folder / "val" / "val_annotations.txt"
    if not annotations.is_file():
        raise FileNotFoundError(f"The folder must contain val/val_annotations.txt, found no {annotations}.")
    moved = 0
    for name, label in read_annotations(annotations):
        source = folder / "val" / "images" / name
        target = source.parent / label / name
        if source.is_file():
            target.parent.mkdir(exist_ok=True)
            source.rename(target)
            moved += 1
        elif not target.is_file():
            raise FileNotFoundError(
                f"{annotations} names {name}, found neither {source} nor {target}. Unpack the archive again."
            )
    return moved


def read_annotations(path: Path) -> list[tuple[str, str]]:
    """Return the file name and the class from each line, without the box that follows."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line)
    return [(name, label) for name, label, *_ in rows]


if __name__ == "__main__":
    main()
