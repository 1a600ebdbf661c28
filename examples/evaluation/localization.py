"""Localization by class activation maps: does the network look at the object that it names?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from examples.evaluation.activation_map import class_activation_maps, heat_maps
from examples.evaluation.component import box_of
from examples.evaluation.overlap import intersection_over_union
from examples.evaluation.source import Source

THRESHOLD = 0.25  # of the heat map's maximum (as in the authors' evaluation)
FIT = 0.5  # the lowest IoU of a box that fits (as in ImageNet's localization task)


class Localization(NamedTuple):
    """An image, the part that the network looks at, and how well the box around that part fits."""

    image: Tensor  # (C, H, W)
    heat: Tensor  # (H, W), from 0 to 1
    box: Tensor  # (4)
    truth: Tensor  # (boxes, 4)
    is_right: bool  # whether the top-1 prediction is the target
    overlap: float  # the largest IoU with a ground-truth box
    unclamped: float  # the same with the authors' formula


def localize(
    network: nn.Module, layer: str, source: Source, boxes: Mapping[int, Tensor], positions: Sequence[int]
) -> Iterator[Localization]:
    """Yield the images at these positions of the data set, each with the box around what the network looks at."""
    remaining = iter(positions)
    for images, targets in source.batches(positions):
        with torch.no_grad():
            predicted = network(images).argmax(1)
        heats = heat_maps(class_activation_maps(network, layer, images, predicted), *images.shape[2:]).cpu()
        for image, heat, is_right in zip(images.cpu(), heats, (predicted == targets).tolist(), strict=True):
            truth = boxes[next(remaining)]
            box = box_of(heat, THRESHOLD)
            overlap, unclamped = (
                float(intersection_over_union(box, truth, clamped=clamped).max()) for clamped in (True, False)
            )
            yield Localization(image, heat, box, truth, is_right, overlap, unclamped)


def measure_localization(
    network: nn.Module, layer: str, source: Source, boxes: Mapping[int, Tensor]
) -> dict[str, float]:
    """Return the share of images whose predicted class is right and whose box fits a ground-truth box.

    Returns:
        The accuracy, the same with the authors' IoU, the share of right classes among these images, and their number.
    """
    found = [
        (one.is_right, one.is_right and one.overlap >= FIT, one.is_right and one.unclamped >= FIT)
        for one in localize(network, layer, source, boxes, list(boxes))
    ]
    is_right, fits, fits_unclamped = torch.tensor(found, dtype=torch.float64).mean(0).tolist()
    return {
        "accuracy": fits,
        "accuracy, unclamped IoU": fits_unclamped,
        "top-1": is_right,
        "images": len(found),
    }


def spread(positions: Sequence[int], count: int) -> list[int]:
    """Choose some of the positions, evenly spaced, because neighbours in a data set often have the same class.

    Raises:
        ValueError: If count is not positive.
    """
    if count < 1:
        raise ValueError(f"pictures must be at least 1, found {count}. Leave boxes out to draw none.")
    return [positions[int(step)] for step in np.linspace(0, len(positions) - 1, min(count, len(positions)))]
