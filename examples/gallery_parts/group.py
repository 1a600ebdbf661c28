"""The group of images that every figure mixes, its mixing and its measurements."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_comixup import Hyperparameters, MixedBatch, comixup_batch, compute_saliency
from lightning_comixup.method.random import as_generator, draw_prior

# Finer than the default, because photographs show more detail than the images of CIFAR.
GRID = 8
# Each labeling has the lowest energy of this many starts, so two labelings differ because of the hyper-parameter rather
# than because of a lucky start.
STARTS = 100
# For the figures of the steps: the most smoothness that is still useful, and one start, for outputs that are easy to
# read.
CALM: dict[str, Any] = {"smoothness": 0.48, "restarts": 1}
_SEED = 0


class Group(NamedTuple):
    """Images with their saliency. Each image is its own class."""

    images: Tensor  # (N, 3, H, W) from 0 to 1
    saliency: Tensor  # (N, H, W)
    names: tuple[str, ...]
    colours: tuple[str, ...]


def make_group(network: nn.Module, images: Tensor, names: tuple[str, ...], colours: tuple[str, ...]) -> Group:
    """Return a group with its saliency for the classes that the network itself predicts."""
    with torch.no_grad():
        predicted = network(images).argmax(1)
    return Group(images, compute_saliency(network, images, predicted), names, colours)


def mix(group: Group, **hyperparameters: Any) -> MixedBatch:
    """Mix the group. Other hyper-parameters have the figures' defaults or else the package's."""
    settings = {"grid_size": GRID, "restarts": STARTS} | hyperparameters
    targets, classes = torch.arange(len(group.images)), len(group.images)
    return comixup_batch(group.images, targets, group.saliency, num_classes=classes, generator=_SEED, **settings)


def drawn_prior(group: Group, **hyperparameters: Any) -> list[float]:
    """Return the prior that `mix` draws first, in units of one output: N times the Dirichlet draw."""
    parameters = Hyperparameters(**hyperparameters)
    count = len(group.images)
    return (count * draw_prior(as_generator(_SEED), count, parameters.alpha)).tolist()


def pooled(saliency: Tensor, cells: int) -> Tensor:
    """Return the mean over each cell of the grid: (N, H, W) to (N, cells, cells)."""
    return F.adaptive_avg_pool2d(saliency, cells)


def inputs_per_output(mixed: MixedBatch) -> float:
    """Return the average number of inputs in an output."""
    return float((mixed.mixing_weights > 0).sum(1).float().mean())


def kept_saliency(group: Group, mixed: MixedBatch) -> float:
    """Return the saliency that an output keeps on average, where each cell counts as a share of its image's saliency.

    An unmixed image keeps 1. Two images that give way to each other where they are not salient keep up to 2.
    """
    masks = torch.from_numpy(mixed.masks[0])
    cells = pooled(group.saliency, masks.shape[-1])
    shares = cells / cells.sum((1, 2), keepdim=True)
    return float((masks * shares).sum((1, 2, 3)).mean())
