"""The cost of a method's step, in plain steps.

Plain training and the method are timed in turn in one process. Other work on the machine slows down both, so the ratio
of two consecutive rounds stays the same. The median over the rounds excludes those in which it did not.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from examples.study_parts.data import draw_split
from examples.study_parts.names import NONE
from examples.study_parts.plan import REAL_SIZE, SETTINGS, Cost
from examples.study_parts.training import Way, train

# Heuristics, with which two measurements differ by 2 %.
_ROUNDS = 7
_STEPS = 20  # timed in each round
_SKIPPED = 5  # untimed before them, while caches fill


def measure_cost(part: str, method: str, network: str, accelerator: str, folder: Path) -> Cost:
    """Time a method against plain training.

    Args:
        part: Name of the task, which determines the size of the images.
        method: A name in `METHODS`.
        network: Name of the network.
        accelerator: Lightning's name for the device.
        folder: Folder of Fashion-MNIST.
    """
    if method == NONE:
        return Cost(part, network, method, 1.0, *(2 * [_round(part, NONE, network, accelerator, folder)]))
    rounds = [
        tuple(_round(part, name, network, accelerator, folder) for name in (method, NONE)) for _ in range(_ROUNDS)
    ]
    ratio = statistics.median(slow / plain for slow, plain in rounds)
    return Cost(part, network, method, ratio, *(statistics.median(times) for times in zip(*rounds, strict=True)))


def _round(part: str, method: str, network: str, accelerator: str, folder: Path) -> float:
    """Return the milliseconds of a step."""
    labels = next(setting.labels for setting in (*SETTINGS, REAL_SIZE) if setting.part == part)
    split = draw_split(part, labels, 0, folder)
    way = Way(part, _SKIPPED + _STEPS, network, accelerator)
    return 1000 * train(split.train, split.validation, way, method, 0, _SKIPPED).seconds / _STEPS
