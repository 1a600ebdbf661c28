"""How each part is trained on, whatever the method."""

from __future__ import annotations

from dataclasses import dataclass

WEIGHT_DECAY = 1e-4  # as the authors of Co-Mixup train


@dataclass(frozen=True)
class Rates:
    """The highest learning rate of the cycle, and the weight decay."""

    learning_rate: float
    weight_decay: float = WEIGHT_DECAY


@dataclass(frozen=True)
class Recipe:
    """Classes, augmentation and optimisation of a part."""

    classes: int
    rates: Rates  # of all methods but one
    tuned: Rates | None  # of "none, tuned"; None: not chosen yet
    batch_size: int = 100
    flips: tuple[int, ...] = (3,)  # 3: left to right, 2: top to bottom
    padding: int = 2  # of random crops, which shift by as much


# The rates are the best of `python -m examples.study --tune` by mean validation accuracy, the lower of equals, with
# seeds that the study does not use: those of all methods for training without mixing within the middle budget, the
# tuned ones within the longest. That of "fashion-all" is "fashion"'s.
RECIPES = {
    "fashion": Recipe(10, Rates(0.2), None),
    "fashion-all": Recipe(10, Rates(0.2), None, batch_size=250),
    "clutter": Recipe(10, Rates(0.05), None),
    "cells": Recipe(2, Rates(0.2), None, flips=(2, 3)),
    "digits": Recipe(10, Rates(0.1), None, flips=()),
}
