"""Energy against time, for more sweeps, for more starts and for the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.reference import Reference, label
from benchmarks.solver import labeling_energy, make_problems
from benchmarks.timing import time_in_turn
from lightning_comixup.method.problem import Problem

_SWEEPS = (1, 2, 3, 4, 6, 8)
_STARTS = (1, 2, 4, 8, 16)


def curve_rows(reference: Reference, groups: int, grid: int = 4) -> list[dict[str, Any]]:
    """Measure the time and energy of each variant, in turn, on the same groups of digits."""
    ways = {f"{sweeps} sweeps": _way(make_problems(grid, groups, sweeps=sweeps)) for sweeps in _SWEEPS}
    ways |= {f"{starts} starts": _way(make_problems(grid, groups, restarts=starts)) for starts in _STARTS}
    ways |= {reference.name: _reference_way(reference, make_problems(grid, groups))}
    energies: dict[str, list[float]] = {name: [] for name in ways}
    timed = {name: _keep(way, energies[name]) for name, way in ways.items()}
    times = time_in_turn(timed, groups)
    return [
        {"way": name, "ms": 1e3 * times[name].median, "± ms": 1e3 * times[name].spread, "energy": float(np.mean(found))}
        for name, found in energies.items()
    ]


def _way(problems: list[Problem]) -> Callable[[int], float]:
    return lambda index: label(problems[index]).energy


def _reference_way(reference: Reference, problems: list[Problem]) -> Callable[[int], float]:
    return lambda index: labeling_energy(reference.solve(problems[index]), problems[index])


def _keep(way: Callable[[int], float], energies: list[float]) -> Callable[[int], None]:
    return lambda index: energies.append(way(index))
