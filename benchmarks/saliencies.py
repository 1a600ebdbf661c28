"""A training step with each saliency and half of the groups mixed, compared with plain training and the default.

Because the differences are small, times on the CPU are processor times, which exclude other processes.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any, NamedTuple

import lightning.pytorch as pl

from benchmarks.data import SIDE
from benchmarks.step import Training, train, wall_clock
from benchmarks.step_module import Lit, make_resnet, make_resnet50
from benchmarks.timing import Times, summary
from lightning_comixup import CoMixup, Edges, LowResolution, SpectralResidual, Uniform

_HALF: dict[str, Any] = {"mixed_share": 0.5, "clean_weight": 0.0}
_SALIENCIES = (None, LowResolution(2), LowResolution(4), Edges(), SpectralResidual(), Uniform())


class Case(NamedTuple):
    """A training and its group size. Each batch has an even number of groups, so that exactly half can be mixed."""

    training: Training
    partition_size: int


def cases(accelerator: str) -> list[Case]:
    """Return the trainings for a kind of device."""
    if accelerator == "cpu":
        small = Training("ResNet-18, 32 × 32, batch 100", make_resnet, SIDE, 100, "32-true", 1, 6, 1)
        wide = Training("ResNet-50, 224 × 224, batch 20", make_resnet50, 224, 20, "32-true", 1, 5, 1)
        return [Case(small, 10), Case(wide, 10)]
    small = Training("ResNet-18, 32 × 32, batch 100", make_resnet, SIDE, 100, "32-true", 20, 3, 10)
    wide = Training("ResNet-50, 224 × 224, batch 128, bfloat16", make_resnet50, 224, 128, "bf16-mixed", 12, 2, 6)
    return [Case(small, 10), Case(wide, 16)]


def saliency_rows(accelerator: str = "cpu") -> list[dict[str, Any]]:
    """Train a few steps with each saliency and without mixing in turn, and compare the medians."""
    return [row for case in cases(accelerator) for row in _rows_of(case, accelerator)]


def _rows_of(case: Case, accelerator: str) -> list[dict[str, Any]]:
    """Return a row for each way. Each of its turns follows a turn without mixing, so that a drift affects both."""
    training, ways = case.training, _ways(case.partition_size)
    now = time.process_time if accelerator == "cpu" else wall_clock

    def turn(callbacks: list[pl.Callback]) -> float:
        return summary(train(Lit(training.make_network()), callbacks, training, accelerator, now)).median

    seconds: dict[str, list[float]] = {name: [] for name in ways}
    ratios: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(training.rounds):
        for name, make in ways.items():
            plain, mixed = turn([]), turn([make()])
            seconds[name].append(mixed)
            ratios[name].append(mixed / plain)
    return [_row(training.name, name, summary(seconds[name]), summary(ratios[name])) for name in ways]


def _row(training: str, way: str, seconds: Times, ratio: Times) -> dict[str, Any]:
    return {
        "training": training,
        "way": way,
        "ms": 1e3 * seconds.median,
        "of plain": ratio.median,
        "± of plain": ratio.spread,
    }


def _ways(partition_size: int) -> dict[str, partial[CoMixup]]:
    make = partial(CoMixup, seed=0, partition_size=partition_size)
    ways = {"Co-Mixup": make}
    for saliency in _SALIENCIES:
        name = "exact" if saliency is None else repr(saliency)
        ways[f"half mixed, {name}"] = partial(make, saliency=saliency, **_HALF)
    return ways
