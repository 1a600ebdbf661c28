"""Benchmarks of the labeling alone: time, energy and outputs above capacity, by grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.data import make_saliency
from benchmarks.reference import Reference, label
from benchmarks.timing import time_in_turn
from lightning_comixup import Hyperparameters, energy
from lightning_comixup.method.problem import Labeling, Problem
from lightning_comixup.planning import build_problems, summarize_saliency
from tests.golden_groups import load_golden_groups

GRIDS = (2, 4, 8, 16)
_INPUTS = 20


def make_problems(grid: int, groups: int, *, inputs: int = _INPUTS, **changes: Any) -> list[Problem]:
    """Return groups of real saliency, each with its own draws. More starts do not change the first one."""
    parameters = Hyperparameters(grid_size=grid, **({"partition_size": inputs} | changes))
    parts = make_saliency(inputs * groups).split(inputs)
    summaries = [summarize_saliency(saliency, (grid, grid), parameters) for saliency in parts]
    return [
        problem
        for group, summary in enumerate(summaries)
        for problem in build_problems(summary, parameters, np.random.default_rng(group))
    ]


def recorded_problems(grid: int) -> list[Problem]:
    """Return the groups of 20 at default settings, and their starts, from the recordings of the authors' labelings."""
    return [
        Problem(
            group.unary,
            group.compatibility,
            group.prior,
            group.start[None].astype(np.int32),
            Hyperparameters(grid_size=grid, **group.hyperparameters),
        )
        for group in load_golden_groups()
        if group.grid == grid and len(group.unary) == _INPUTS and group.has_default_settings
    ]


def solver_rows(reference: Reference, groups: int, grids: tuple[int, ...] = GRIDS) -> list[dict[str, Any]]:
    """Compare the solver with the reference on each grid, with one thread and the same starts."""
    rows = [{"saliency": "recorded"} | _row(recorded_problems(grid), reference) for grid in grids]
    return rows + [{"saliency": "digits"} | _row(make_problems(grid, groups), reference) for grid in grids]


def _row(problems: list[Problem], reference: Reference) -> dict[str, Any]:
    theirs: dict[int, float] = {}
    ours: dict[int, Labeling] = {}

    def refer(index: int) -> None:
        theirs[index] = labeling_energy(reference.solve(problems[index]), problems[index])

    ways = {"reference": refer, "ours": lambda index: ours.update({index: label(problems[index])})}
    times = time_in_turn(ways, len(problems))
    row: dict[str, Any] = {"grid": " × ".join(str(side) for side in problems[0].unary.shape[1:])}
    row |= {f"{name} ms": 1e3 * found.median for name, found in times.items()}
    row |= {f"{name} ± ms": 1e3 * found.spread for name, found in times.items()}
    row["times faster"] = times["reference"].median / times["ours"].median
    row["reference energy"] = float(np.mean(list(theirs.values())))
    row["our energy"] = float(np.mean([found.energy for found in ours.values()]))
    row["not worse %"] = 100 * float(np.mean([ours[i].energy <= theirs[i] + 1e-9 for i in theirs]))
    row["above capacity %"] = 100 * float(np.mean([found.over_capacity / len(found.first) for found in ours.values()]))
    return row


def labeling_energy(masks: Any, problem: Problem) -> float:
    """Return the energy of masks."""
    settings = vars(problem.hyperparameters)
    return energy(masks, problem.unary, problem.compatibility, prior=problem.prior, **settings)


def growth_rows(sizes: tuple[int, ...] = (5, 10, 20, 40, 80)) -> list[dict[str, Any]]:
    """Measure how the time grows with the size of the group, which has as many outputs as inputs."""
    rows = []
    for size in sizes:
        problems = make_problems(4, 4, inputs=size, partition_size=size)
        found = time_in_turn({"group": lambda index, problems=problems: label(problems[index % 4])}, 12)  # type: ignore[misc]
        rows.append({"inputs": size, "ms": 1e3 * found["group"].median, "± ms": 1e3 * found["group"].spread})
    return rows
