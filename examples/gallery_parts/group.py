"""The group of images that every figure mixes, how it is mixed, and what is measured of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_comixup import Hyperparameters, MixedBatch, comixup_batch, compute_saliency
from lightning_comixup.method.random import as_generator, draw_prior

# Finer than the default, for photographs have more to show than the images of CIFAR.
GRID = 8
# Each labeling is the one of lowest energy of so many starts: what differs between two of them is what the
# hyper-parameter does, rather than the luck of a start.
STARTS = 100
# Of the figures of the steps: of the useful smoothness the most, and one start, for outputs that are easy to read.
CALM: dict[str, Any] = {"smoothness": 0.48, "restarts": 1}
_SEED = 0


class Group(NamedTuple):
    """Images with their saliency; each is a class of its own."""

    images: Tensor  # (N, 3, H, W) from 0 to 1
    saliency: Tensor  # (N, H, W)
    names: tuple[str, ...]
    colours: tuple[str, ...]


def make_group(network: nn.Module, images: Tensor, names: tuple[str, ...], colours: tuple[str, ...]) -> Group:
    """Take the saliency of the classes that the network itself predicts."""
    with torch.no_grad():
        predicted = network(images).argmax(1)
    return Group(images, compute_saliency(network, images, predicted), names, colours)


def mix(group: Group, **hyperparameters: Any) -> MixedBatch:
    """Mix the group, the hyper-parameters that are not named at the figures' or the package's defaults."""
    settings = {"grid_size": GRID, "restarts": STARTS} | hyperparameters
    targets, classes = torch.arange(len(group.images)), len(group.images)
    return comixup_batch(group.images, targets, group.saliency, num_classes=classes, generator=_SEED, **settings)


def drawn_prior(group: Group, **hyperparameters: Any) -> list[float]:
    """Return the prior's draw for `mix` in outputs' worth: N times the Dirichlet draw, the first that is made."""
    parameters = Hyperparameters(**hyperparameters)
    count = len(group.images)
    return (count * draw_prior(as_generator(_SEED), count, parameters.alpha)).tolist()


def pooled(saliency: Tensor, cells: int) -> Tensor:
    """Return the mean over each cell of the grid: (N, H, W) to (N, cells, cells)."""
    return F.adaptive_avg_pool2d(saliency, cells)


def inputs_per_output(mixed: MixedBatch) -> float:
    """Return how many inputs an output is made of, on average."""
    return float((mixed.mixing_weights > 0).sum(1).float().mean())


def kept_saliency(group: Group, mixed: MixedBatch) -> float:
    """Return the saliency in an output, in units of an image's: each cell's share of all of its own image's.

    An image that is not mixed keeps 1; two that give way to each other where they are not salient keep up to 2.
    """
    masks = torch.from_numpy(mixed.masks[0])
    cells = pooled(group.saliency, masks.shape[-1])
    shares = cells / cells.sum((1, 2), keepdim=True)
    return float((masks * shares).sum((1, 2, 3)).mean())
