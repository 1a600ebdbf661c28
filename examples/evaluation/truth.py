"""The ground-truth boxes of a data set, in pixels of the images as the network sees them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor

from examples.command_line import CommandError
from examples.evaluation.boxes import match_boxes, read_boxes
from examples.evaluation.crop import crop_boxes


def read_truth(path: Path, names: Sequence[str], resize: int | None, crop: int | None) -> dict[int, Tensor]:
    """Read the ground-truth boxes.

    Args:
        path: CSV file with the columns path, x0, y0, x1, y1.
        names: The images' paths or positions.
        resize: Length of the files' shorter side after resizing, if the boxes are in pixels of the files. None if they
            are in pixels of the images as the network sees them.
        crop: The side of the square cropped from the centre after resizing.

    Returns:
        (boxes, 4) float by position of the image, for images that have boxes.

    Raises:
        CommandError: If only one of resize and crop is given.
    """
    boxes = match_boxes(read_boxes(path), names)
    if resize is None and crop is None:
        return boxes
    if resize is None or crop is None:
        raise CommandError(
            f"resize and crop go together, found {resize} and {crop}. Give both, or neither if the boxes are in pixels "
            "of the images as the network sees them."
        )
    cropped = {}
    for position, found in boxes.items():
        with Image.open(names[position]) as image:
            cropped[position] = crop_boxes(found, image.width, image.height, resize, crop)
    return cropped
