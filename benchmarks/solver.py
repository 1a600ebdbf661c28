"""The labeling alone: time, energy and optimality by grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.data import make_saliency
from benchmarks.reference import Reference, label
from benchmarks.timing import time_in_turn
from lightning_comixup.energy import energy
from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.plan import describe_saliency, state_problem
from lightning_comixup.problem import Problem

GRIDS = (2, 4, 8, 16)
_INPUTS = 20


def make_problems(grid: int, groups: int, **changes: Any) -> list[Problem]:
    """Return groups of real saliency with a start each."""
    parameters = Hyperparameters(grid_size=grid, **changes)
    draws = np.random.default_rng(0)
    parts = make_saliency(_INPUTS * groups).split(_INPUTS)
    described = [describe_saliency(saliency, (grid, grid), parameters) for saliency in parts]
    return [state_problem(pooled, peaks, parameters, draws) for pooled, peaks in described]


def solver_rows(reference: Reference, groups: int, grids: tuple[int, ...] = GRIDS) -> list[dict[str, Any]]:
    """Compare the solver with the reference on each grid, one thread, the same starts."""
    return [_row(grid, make_problems(grid, groups), reference) for grid in grids]


def _row(grid: int, problems: list[Problem], reference: Reference) -> dict[str, Any]:
    alone = [_with_one_start(problem) for problem in problems]
    theirs: dict[int, float] = {}
    ours: dict[str, dict[int, Any]] = {"one": {}, "default": {}}

    def refer(index: int) -> None:
        theirs[index] = _energy(reference.solve(alone[index]), alone[index])

    times = time_in_turn(
        {
            "reference": refer,
            "one": lambda index: ours["one"].update({index: label(alone[index])}),
            "default": lambda index: ours["default"].update({index: label(problems[index])}),
        },
        len(problems),
    )
    one, default = ours["one"], ours["default"]
    row = {"grid": f"{grid} × {grid}"} | {f"{name} ms": 1e3 * found.median for name, found in times.items()}
    row |= {f"{name} ± ms": 1e3 * found.spread for name, found in times.items()}
    for name in ours:
        row[f"{name}: times faster"] = times["reference"].median / times[name].median
    row["reference energy"] = float(np.mean(list(theirs.values())))
    row["one energy"] = float(np.mean([found.energy for found in one.values()]))
    row["default energy"] = float(np.mean([found.energy for found in default.values()]))
    row["one: not worse %"] = 100 * float(np.mean([one[i].energy <= theirs[i] + 1e-9 for i in theirs]))
    proven = sum(found.proven for found in default.values())
    row["proven %"] = 100 * proven / sum(found.subproblems for found in default.values())
    return row


def _with_one_start(problem: Problem) -> Problem:
    return Problem(
        problem.unary, problem.compatibility, problem.prior, problem.starts[:1].copy(), problem.hyperparameters
    )


def _energy(masks: Any, problem: Problem) -> float:
    settings = vars(problem.hyperparameters)
    return energy(masks, problem.unary, problem.compatibility, prior=problem.prior, **settings)


def growth_rows(sizes: tuple[int, ...] = (5, 10, 20, 40, 80)) -> list[dict[str, Any]]:
    """Measure how the time grows with the group: as many outputs as inputs."""
    saliency = make_saliency(4 * max(sizes))
    rows = []
    for size in sizes:
        parameters = Hyperparameters(partition_size=size)
        draws = np.random.default_rng(0)
        described = [describe_saliency(part, (4, 4), parameters) for part in saliency[: 4 * size].split(size)]
        problems = [state_problem(pooled, peaks, parameters, draws) for pooled, peaks in described]
        found = time_in_turn({"group": lambda index, problems=problems: label(problems[index % 4])}, 12)  # type: ignore[misc]
        rows.append({"inputs": size, "ms": 1e3 * found["group"].median, "± ms": 1e3 * found["group"].spread})
    return rows
