"""Time several ways of doing the same thing in turn, on one machine and in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Times(NamedTuple):
    """The seconds that one way takes: the median, and half the distance between the quartiles."""

    median: float
    spread: float


def time_in_turn(ways: dict[str, Callable[[int], Any]], repetitions: int) -> dict[str, Times]:
    """Time each way once per repetition, in turn, after one untimed round.

    Args:
        ways: Functions that receive the number of the repetition, so that each repetition can have its own data.
        repetitions: Number of timed rounds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(-1, repetitions):
        for name, way in ways.items():
            start = time.perf_counter()
            way(max(repetition, 0))
            elapsed = time.perf_counter() - start
            if repetition >= 0:
                seconds[name].append(elapsed)
    return {name: summary(values) for name, values in seconds.items()}


def summary(values: list[float]) -> Times:
    """Summarise the measured seconds of one way."""
    if len(values) < 2:
        return Times(values[0], 0.0)
    lower, median, upper = statistics.quantiles(values, n=4)
    return Times(median, (upper - lower) / 2)
