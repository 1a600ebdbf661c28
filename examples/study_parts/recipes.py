"""How each data set is trained on, whatever the method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from examples import digits
from examples.study_parts.network import make_resnet


@dataclass(frozen=True)
class Recipe:
    """Network, optimisation and augmentation of a data set."""

    make_network: Callable[[], nn.Module]
    batch_size: int
    learning_rate: float  # the highest of the cycle, the best for training without mixing
    padding: int | None = None  # of random crops, which come with flips; None: no augmentation


RECIPES = {
    "digits": Recipe(lambda: digits.Classifier().network, digits.BATCH_SIZE, 0.1),
    "fashion": Recipe(make_resnet, 100, 0.2, padding=2),
}
