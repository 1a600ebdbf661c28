"""Means over the seeds, and their standard errors."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from examples.study_parts.names import METHOD_NAMES, NONE
from examples.study_parts.plan import Result
from examples.study_parts.recipes import RECIPES


class Task(NamedTuple):
    """A task on which methods are compared."""

    part: str
    labels: int
    network: str


class Estimate(NamedTuple):
    """A mean over the seeds and its standard error. With too few seeds, they are NaN."""

    mean: float
    error: float


class Summary(NamedTuple):
    """The results of a method on a task within a budget."""

    task: Task
    method: str
    budget: int
    accuracies: tuple[float, ...]  # by seed
    gains: tuple[float, ...]  # in accuracy over plain training with the same budget and seed, if there is one
    ece: Estimate
    scaled_ece: Estimate
    nll: Estimate
    scaled_nll: Estimate
    hours: float  # of all seeds together


def summarise(results: Sequence[Result]) -> list[Summary]:
    """Summarise each method in each task and budget, in the study's order.

    Args:
        results: Results in any order. Seeds may be missing.
    """
    plain = {(*result[:3], result.budget, result.seed): result for result in results if result.method == NONE}
    groups: dict[tuple[Task, str, int], list[Result]] = defaultdict(list)
    for result in results:
        groups[Task(*result[:3]), result.method, result.budget].append(result)
    parts, methods = list(RECIPES), list(METHOD_NAMES)
    ordered = sorted(groups, key=lambda key: (parts.index(key[0].part), key[0][1:], methods.index(key[1]), key[2]))
    return [_summary(key, sorted(groups[key], key=lambda result: result.seed), plain) for key in ordered]


def estimate(values: Iterable[float]) -> Estimate:
    """Return mean and standard error."""
    found = list(values)
    if not found:
        return Estimate(math.nan, math.nan)
    error = statistics.stdev(found) / math.sqrt(len(found)) if len(found) > 1 else math.nan
    return Estimate(statistics.mean(found), error)


def time_shares(results: Sequence[Result]) -> dict[str, float]:
    """Return the median time of each method's runs, relative to plain training with the same budget and seed."""
    plain = {(*result[:3], result.budget, result.seed): result.seconds for result in results if result.method == NONE}
    shares: dict[str, list[float]] = {method: [] for method in METHOD_NAMES}
    for result in results:
        seconds = plain.get((*result[:3], result.budget, result.seed))
        if seconds and result.method != NONE:
            shares[result.method].append(result.seconds / seconds)
    return {method: statistics.median(found) for method, found in shares.items() if found}


def budgets_in(summaries: Iterable[Summary]) -> list[int]:
    """Return the budgets of the summaries."""
    return sorted({row.budget for row in summaries})


def _summary(key: tuple[Task, str, int], results: list[Result], plain: dict[Any, Result]) -> Summary:
    pairs = [(result, plain.get((*result[:3], result.budget, result.seed))) for result in results]
    return Summary(
        *key,
        accuracies=tuple(result.accuracy for result in results),
        gains=tuple(result.accuracy - other.accuracy for result, other in pairs if other),
        ece=estimate(result.ece for result in results),
        scaled_ece=estimate(result.scaled_ece for result in results),
        nll=estimate(result.nll for result in results),
        scaled_nll=estimate(result.scaled_nll for result in results),
        hours=sum(result.seconds for result in results) / 3600,
    )
