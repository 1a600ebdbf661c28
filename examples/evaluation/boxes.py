"""Ground-truth boxes from a CSV file, for the images of a data set."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path, PurePath

import torch
from torch import Tensor

from examples.command_line import CommandError

_CORNERS = ("x0", "y0", "x1", "y1")


def read_boxes(path: Path) -> dict[str, Tensor]:
    """Read a file with the columns path, x0, y0, x1, y1 and one box per line.

    Returns:
        (boxes, 4) float for each path.

    Raises:
        CommandError: If a column is missing, or a box has no area.
    """
    found: dict[str, list[list[float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if missing := {"path", *_CORNERS} - set(reader.fieldnames or ()):
            raise CommandError(
                f"{path} must have the columns path, x0, y0, x1, y1, found no {', '.join(sorted(missing))}."
            )
        for line in reader:
            x0, y0, x1, y1 = box = [float(line[corner]) for corner in _CORNERS]
            if x0 >= x1 or y0 >= y1:
                raise CommandError(f"Boxes must have x0 < x1 and y0 < y1, found {box} for {line['path']} in {path}.")
            found.setdefault(line["path"], []).append(box)
    return {name: torch.tensor(boxes) for name, boxes in found.items()}


def match_boxes(boxes: dict[str, Tensor], names: Sequence[str]) -> dict[int, Tensor]:
    """Return the boxes by position of the image, for images that have boxes.

    A path in the file matches an image whose path is the same or ends in it, folder by folder.

    Raises:
        CommandError: If no image has boxes.
    """
    by_parts = {PurePath(name).parts: found for name, found in boxes.items()}
    matched = {}
    for position, name in enumerate(names):
        parts = PurePath(name).parts
        ends = (parts[start:] for start in range(len(parts)))
        if (end := next((end for end in ends if end in by_parts), None)) is not None:
            matched[position] = by_parts[end]
    if not matched:
        raise CommandError(
            f"Boxes must name images of the data set, such as {names[0]}, found {next(iter(boxes), 'none')}. Write "
            "paths that match the end of the data set's paths or, if it has no `samples`, the positions 0, 1, …"
        )
    return matched


def inside(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return a mask (H, W) that is True where a pixel's centre lies in one of the boxes (N, 4)."""
    y = (torch.arange(height) + 0.5)[:, None]
    x = (torch.arange(width) + 0.5)[None, :]
    x0, y0, x1, y1 = boxes[:, :, None, None].unbind(1)
    return ((x0 <= x) & (x < x1) & (y0 <= y) & (y < y1)).any(0)
