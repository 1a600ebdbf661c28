"""Means and deviations over the seeds."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from examples.study_parts.methods import METHODS, REFERENCE
from examples.study_parts.plan import EPOCHS, TIME, Result


class Estimate(NamedTuple):
    """A mean over the seeds and the standard deviation; NaN where there are too few seeds for it."""

    mean: float
    deviation: float


class Summary(NamedTuple):
    """What was found of a method in a setting within a budget."""

    part: str
    labels: int
    method: str
    budget: str
    epochs: int
    seeds: int
    accuracy: Estimate
    gain: Estimate  # in accuracy over the reference's run of the same seed
    calibration_error: Estimate
    nll: Estimate
    hours: float  # all seeds together


def summarise(results: Sequence[Result]) -> list[Summary]:
    """Summarise each method in each setting and budget; the reference is there for both budgets.

    Args:
        results: In any order; seeds may be missing.

    Returns:
        By data set, number of labels, budget and method.
    """
    reference = {(*result[:2], result.seed): result.accuracy for result in results if result.method == REFERENCE}
    groups: dict[tuple[str, int, str, str], list[Result]] = defaultdict(list)
    for result in results:
        for budget in (EPOCHS, TIME) if result.method == REFERENCE else (result.budget,):
            groups[(*result[:2], budget, result.method)].append(result)
    methods = list(METHODS)
    ordered = sorted(groups, key=lambda group: (*group[:3], methods.index(group[3])))
    return [_summary(group[2], groups[group], reference) for group in ordered]


def estimate(values: Iterable[float]) -> Estimate:
    """Return mean and standard deviation."""
    found = list(values)
    mean = statistics.mean(found) if found else math.nan
    return Estimate(mean, statistics.stdev(found) if len(found) > 1 else math.nan)


def _summary(budget: str, results: list[Result], reference: dict[tuple[str, int, int], float]) -> Summary:
    places = [(result, (*result[:2], result.seed)) for result in results]
    return Summary(
        *results[0][:3],
        budget,
        epochs=results[0].epochs,
        seeds=len(results),
        accuracy=estimate(result.accuracy for result in results),
        gain=estimate(result.accuracy - reference[place] for result, place in places if place in reference),
        calibration_error=estimate(result.calibration_error for result in results),
        nll=estimate(result.nll for result in results),
        hours=sum(result.seconds for result in results) / 3600,
    )
