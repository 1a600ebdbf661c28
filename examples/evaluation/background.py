"""Images with a replaced background, which is everything outside the object's boxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from examples.evaluation.boxes import inside
from examples.evaluation.normalization import Normalization
from examples.evaluation.source import Batch, Source


def replace_background(images: Tensor, is_object: Tensor, backgrounds: Tensor) -> Tensor:
    """Return images (B, C, H, W) with all pixels outside the object, (B, H, W) bool, taken from `backgrounds`."""
    return torch.where(is_object[:, None], images, backgrounds)


def with_other_images(source: Source, boxes: Mapping[int, Tensor], generator: torch.Generator) -> Iterator[Batch]:
    """Yield the images that have boxes, each in front of another image of the data set, drawn uniformly."""
    others = source.batches(source.others(list(boxes), generator))
    for batch, is_object in _with_masks(source, boxes):
        yield batch._replace(images=replace_background(batch.images, is_object, next(others).images))


def with_noise(
    source: Source, boxes: Mapping[int, Tensor], normalization: Normalization, generator: torch.Generator
) -> Iterator[Batch]:
    """Yield the images that have boxes in front of Gaussian noise.

    The noise has the normalisation's mean and standard deviation, and is clipped to valid pixels.
    """
    for batch, is_object in _with_masks(source, boxes):
        noise = torch.randn(batch.images.shape, generator=generator).to(batch.images)
        pixels = normalization.to_pixels(noise).clamp(0, 1)
        backgrounds = normalization.from_pixels(pixels)
        yield batch._replace(images=replace_background(batch.images, is_object, backgrounds))


def _with_masks(source: Source, boxes: Mapping[int, Tensor]) -> Iterator[tuple[Batch, Tensor]]:
    """Yield the images that have boxes, with masks (B, H, W) that are True inside a box."""
    remaining = iter(boxes.values())
    for batch in source.batches(list(boxes)):
        masks = [inside(next(remaining), *batch.images.shape[2:]) for _ in batch.targets]
        yield batch, torch.stack(masks).to(batch.images.device)
