"""The choice of learning rates and weight decays by validation accuracy, without the test images."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from examples.study_parts.data import draw_split
from examples.study_parts.measures import measure
from examples.study_parts.names import CPU, NONE, SMALL
from examples.study_parts.plan import LONG, MIDDLE, Setting, fewest_labels, plain_steps
from examples.study_parts.recipes import WEIGHT_DECAY, Rates
from examples.study_parts.training import Way, predict, train

_SEEDS = (100, 101)  # not used by any run of the study
_LEARNING_RATES = (0.05, 0.1, 0.2, 0.4)  # the authors' 0.2 for CIFAR-100, and its neighbours
_LONG_LEARNING_RATES = (0.05, 0.1, 0.2)
_LONG_WEIGHT_DECAYS = (2e-3, 5e-3)  # above the authors' 1e-4, because long training needs more


class Trial(NamedTuple):
    """A training without mixing, to be tried."""

    part: str
    labels: int
    budget: int
    learning_rate: float
    weight_decay: float
    seed: int


class Tried(NamedTuple):
    """The measurements of a trial on the validation images."""

    part: str
    labels: int
    budget: int
    learning_rate: float
    weight_decay: float
    seed: int
    val_accuracy: float
    val_ece: float
    val_nll: float


def plan_trials(settings: tuple[Setting, ...]) -> list[Trial]:
    """Return all trials for each part, with the fewest labels: first those of the middle budget, then the longest."""
    places = [(setting.part, setting.labels) for setting in fewest_labels(settings)]
    short = [
        Trial(*place, MIDDLE, rate, WEIGHT_DECAY, seed)
        for place in places
        for rate in _LEARNING_RATES
        for seed in _SEEDS
    ]
    long = [
        Trial(*place, LONG, rate, decay, _SEEDS[0])
        for place in places
        for rate in _LONG_LEARNING_RATES
        for decay in _LONG_WEIGHT_DECAYS
    ]
    return short + long


def try_rates(trial: Trial, folder: Path) -> Tried:
    """Carry out a trial.

    Args:
        trial: The trial.
        folder: Folder of Fashion-MNIST.
    """
    split = draw_split(trial.part, trial.labels, trial.seed, folder)
    rates = Rates(trial.learning_rate, trial.weight_decay)
    steps = plain_steps(Setting(trial.part, trial.labels), trial.budget)
    trained = train(split.train, split.validation, Way(trial.part, steps, SMALL, CPU, rates), NONE, trial.seed)
    return Tried(*trial, *measure(predict(trained.module, split.validation.pixels), split.validation.labels))
