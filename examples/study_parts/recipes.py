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
    learning_rate: float  # the highest of the cycle
    padding: int | None = None  # of random crops, which come with flips; None: no augmentation


# The learning rates are the best of 0.05 (digits only), 0.1, 0.2 and 0.4 (Fashion-MNIST only) for training without
# mixing, by accuracy over seeds that the study does not use.
RECIPES = {
    "digits": Recipe(lambda: digits.Classifier().network, digits.BATCH_SIZE, 0.1),
    "fashion": Recipe(make_resnet, 100, 0.2, padding=2),
}
