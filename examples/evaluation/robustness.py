"""Top-1 accuracy on changed images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from examples.evaluation.background import with_noise, with_other_images
from examples.evaluation.fgsm import attacked
from examples.evaluation.network import predict
from examples.evaluation.noise import noisy
from examples.evaluation.normalization import Normalization
from examples.evaluation.source import Batch, Source

EPSILON = 8 / 255  # of the attack, for pixels from 0 to 1; the usual value


class Robustness(NamedTuple):
    """Top-1 accuracy on images that were changed in one way."""

    change: str
    accuracy: float
    images: int
    deviation: float | None = None  # of additive noise


def measure_robustness(
    network: nn.Module, source: Source, normalization: Normalization, deviations: Sequence[float], seed: int
) -> Iterator[Robustness]:
    """Measure accuracy under additive noise of several standard deviations, and under attack."""
    for deviation in deviations:
        batches = noisy(source.batches(), deviation, normalization, torch.Generator().manual_seed(seed))
        yield _measure(network, f"Gaussian noise, std {deviation:g}", batches)._replace(deviation=deviation)
    batches = attacked(network, source.batches(), EPSILON, normalization)
    yield _measure(network, "FGSM, ε 8/255", batches)


def measure_backgrounds(
    network: nn.Module, source: Source, normalization: Normalization, boxes: Mapping[int, Tensor], seed: int
) -> Iterator[Robustness]:
    """Measure accuracy on the images that have boxes, first unchanged and then with other backgrounds."""
    yield _measure(network, "images with boxes, unchanged", source.batches(list(boxes)))
    draws = torch.Generator().manual_seed(seed)
    yield _measure(network, "background: another image", with_other_images(source, boxes, draws))
    yield _measure(network, "background: Gaussian noise", with_noise(source, boxes, normalization, draws))


def _measure(network: nn.Module, change: str, batches: Iterable[Batch]) -> Robustness:
    is_right = predict(network, batches).is_right
    return Robustness(change, float(is_right.double().mean()), len(is_right))
