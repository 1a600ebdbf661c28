"""Which runs the study has: settings, methods, budgets and seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from examples.study_parts.methods import AUTHORS_CUTS, METHODS, REFERENCE

EPOCHS, TIME = "epochs", "time"  # the budgets: as many epochs as the reference, or as much time


@dataclass(frozen=True)
class Setting:
    """A data set, how many of its labels are used, and for how many epochs the reference trains."""

    part: str
    labels: int
    epochs: int
    has_authors_cuts: bool = False  # they cost several times the rest


SETTINGS = (
    Setting("digits", 100, 60, has_authors_cuts=True),
    Setting("digits", 200, 60, has_authors_cuts=True),
    Setting("digits", 400, 60, has_authors_cuts=True),
    Setting("fashion", 2000, 30, has_authors_cuts=True),
    Setting("fashion", 5000, 30),
)


class Place(NamedTuple):
    """Where time is spent alike: by a method in a setting."""

    part: str
    labels: int
    method: str


class Cost(NamedTuple):
    """The processor's seconds of an epoch."""

    part: str
    labels: int
    method: str
    epoch_seconds: float


class Run(NamedTuple):
    """One training."""

    part: str
    labels: int
    method: str
    budget: str
    seed: int
    epochs: int


class Result(NamedTuple):
    """What was measured of a run on the test images, and the processor's seconds of its training."""

    part: str
    labels: int
    method: str
    budget: str
    seed: int
    epochs: int
    accuracy: float
    calibration_error: float
    nll: float
    seconds: float


def place_of(record: Cost | Run | Result) -> Place:
    """Return where a record belongs."""
    return Place(*record[:3])


def places(settings: Iterable[Setting]) -> list[Place]:
    """Return all that has a cost."""
    return [
        Place(setting.part, setting.labels, method)
        for setting in settings
        for method in METHODS
        if method != AUTHORS_CUTS or setting.has_authors_cuts
    ]


def plan_runs(settings: Sequence[Setting], costs: Sequence[Cost], seeds: int) -> list[Run]:
    """Return all runs; the reference's serve both budgets and are there once.

    Args:
        settings: What is compared in.
        costs: Of each place.
        seeds: Runs of each place and budget.
    """
    seconds = {place_of(cost): cost.epoch_seconds for cost in costs}
    epochs = {(setting.part, setting.labels): setting.epochs for setting in settings}
    runs = []
    for place in places(settings):
        equal = epochs[place[:2]]
        in_time = epochs_in_time(equal, seconds[place._replace(method=REFERENCE)], seconds[place])
        budgets = {EPOCHS: equal} if place.method == REFERENCE else {EPOCHS: equal, TIME: in_time}
        runs += [Run(*place, budget, seed, number) for budget, number in budgets.items() for seed in range(seeds)]
    return runs


def epochs_in_time(epochs: int, reference_seconds: float, seconds: float) -> int:
    """Return how many epochs take as long as the reference's.

    Args:
        epochs: The reference's epochs.
        reference_seconds: Its seconds per epoch.
        seconds: Those of the other method.
    """
    return max(1, round(epochs * reference_seconds / seconds))


def unfinished(runs: Iterable[Run], results: Iterable[Result]) -> list[Run]:
    """Return the runs that have no result yet.

    Raises:
        ValueError: If one was done with another number of epochs: the results would not be comparable.
    """
    done = {result[:5]: result.epochs for result in results}
    left = []
    for run in runs:
        epochs = done.get(run[:5])
        if epochs is None:
            left.append(run)
        elif epochs != run.epochs:
            raise ValueError(f"{run} must have been done for as many epochs, found {epochs}. Choose another folder.")
    return left
