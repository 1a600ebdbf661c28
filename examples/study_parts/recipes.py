"""The training recipe of each part, which is the same for all methods."""

from __future__ import annotations

from dataclasses import dataclass

WEIGHT_DECAY = 1e-4  # as the authors of Co-Mixup train


@dataclass(frozen=True)
class Rates:
    """The peak learning rate of the cycle, and the weight decay."""

    learning_rate: float
    weight_decay: float = WEIGHT_DECAY


@dataclass(frozen=True)
class Recipe:
    """Classes, augmentation and optimisation of a part."""

    classes: int
    rates: Rates  # for all methods but the tuned ones
    tuned: Rates | None  # for those; None if not chosen yet
    batch_size: int = 100
    flips: tuple[int, ...] = (3,)  # 3: left to right, 2: top to bottom
    padding: int = 2  # of random crops, and so their largest shift


# The rates are the ones with the best mean validation accuracy in `python -m examples.study --tune`, which trains
# without mixing on seeds that the study does not use. Of equally good rates, the lower one is taken. The rates for most
# methods are the best in the middle budget, and the tuned ones are the best in the longest. "fashion-all" has the rate
# of "fashion".
RECIPES = {
    "fashion": Recipe(10, Rates(0.2), Rates(0.1, 2e-3)),
    "fashion-all": Recipe(10, Rates(0.2), None, batch_size=250),
    "clutter": Recipe(10, Rates(0.05), Rates(0.1, 5e-3)),
    "cells": Recipe(2, Rates(0.2), Rates(0.2, 5e-3), flips=(2, 3)),
    "digits": Recipe(10, Rates(0.1), Rates(0.1, 2e-3), flips=()),
}
