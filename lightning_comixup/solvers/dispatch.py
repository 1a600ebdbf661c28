"""Dispatching the groups of a batch to a solver, in several threads."""

from __future__ import annotations

import os
import time
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache, lru_cache
from importlib import import_module
from typing import NamedTuple

import numpy as np
import torch

from lightning_comixup.hyperparameters import Hyperparameters, Solver
from lightning_comixup.method.energy import count_over_capacity, labeling_energy
from lightning_comixup.method.problem import Labeling, Problem, check_values

# If a large group takes longer than this many seconds, a warning says what to lower. "Large" means ten times the
# inputs² × cells of 20 inputs on 16 × 16 cells. A smaller one takes so long only while the solver compiles. Heuristic.
_PATIENCE = 2.0
_LARGE = 1_000_000


class SolverEntry(NamedTuple):
    """The module of a solver and its capabilities."""

    module: str  # has `solve(problem) -> Labeling` and perhaps `first_use_note()`; imported on first use
    threads: bool  # whether several groups may be solved at once
    checks: bool  # whether the solver checks the values of a problem itself, see `check_values`


SOLVERS: dict[Solver, SolverEntry] = {
    "descent": SolverEntry("lightning_comixup.solvers.descent", threads=True, checks=True),
    "pygco": SolverEntry("lightning_comixup.solvers.pygco", threads=False, checks=False),
}


def solve_groups(problems: Sequence[Problem]) -> list[Labeling]:
    """Solve the groups of a batch in as many threads as torch uses. The results do not depend on that number."""
    workers, threads = 1, torch.get_num_threads()
    if len(problems) > 1 and SOLVERS[problems[0].hyperparameters.solver].threads:
        workers = min(len(problems), threads)
    if workers == 1:
        return [_solve(problem) for problem in problems]
    waiting, solved = deque(enumerate(problems)), dict[int, Labeling]()
    # This thread solves groups too, since waking another takes a good part of the time of a group.
    others: list[Future[None]] = []
    with suppress(RuntimeError):  # an interpreter that is shutting down rejects new work, so this thread does it all
        pool = _pool(threads - 1, os.getpid())
        for _ in range(1, workers):
            others.append(pool.submit(_work, waiting, solved))
    try:
        _work(waiting, solved)
    finally:
        waiting.clear()  # if this thread has failed, the others end as well
    for other in others:
        if not other.cancel():  # a thread that has not begun has nothing left to do
            other.result()
    return [solved[index] for index in range(len(problems))]


def _work(waiting: deque[tuple[int, Problem]], solved: dict[int, Labeling]) -> None:
    """Solve groups until none is left."""
    while True:
        try:
            index, problem = waiting.popleft()
        except IndexError:
            return
        solved[index] = _solve(problem)


@lru_cache(maxsize=1)
def _pool(workers: int, process: int) -> ThreadPoolExecutor:
    """Return threads that are reused for every batch: starting them takes as long as a group.

    The process is part of the key because a forked process inherits no threads.
    """
    return ThreadPoolExecutor(workers, thread_name_prefix="comixup")


def warm_up(solver: Solver, inform: Callable[[str], None]) -> None:
    """Make a solver ready to use: compile it, or load it from its cache.

    Args:
        solver: The name of the solver.
        inform: Called first with a message for the user if this takes a while.

    Raises:
        ImportError: If the solver's backend is not installed.
    """
    note = getattr(import_module(SOLVERS[solver].module), "first_use_note", lambda: None)()
    if note is not None:
        inform(note)
    start = np.zeros((1, 2, 1), np.int32)
    _solve(Problem(np.full((2, 1), -1.0), np.eye(2), np.full(2, 0.5), start, Hyperparameters(solver=solver)))


def _solve(problem: Problem) -> Labeling:
    entry, is_alone = SOLVERS[problem.hyperparameters.solver], problem.unary.shape[0] == 1
    if is_alone or not entry.checks:
        check_values(problem.unary, problem.compatibility, problem.prior, problem.starts)
    if is_alone:
        return _unmixed(problem)
    start = time.perf_counter()
    labeling = _solver(entry.module)(problem)
    shape = problem.unary.shape
    if time.perf_counter() - start > _PATIENCE and problem.unary.size * shape[0] > _LARGE:
        _warn_once(shape)
    return labeling


@cache
def _solver(module: str) -> Callable[[Problem], Labeling]:
    solve: Callable[[Problem], Labeling] = import_module(module).solve
    return solve


@cache
def _warn_once(shape: tuple[int, ...]) -> None:
    group = f"a group of {shape[0]} inputs on {' × '.join(map(str, shape[1:]))} cells"
    message = f"CoMixup: labeling {group} takes more than {_PATIENCE:.0f} s. Lower partition_size or grid_size."
    warnings.warn(message, RuntimeWarning, stacklevel=2)


def _unmixed(problem: Problem) -> Labeling:
    """Return the only labeling of a group of one."""
    own = np.zeros(problem.starts.shape[1:], np.int32)
    alone = Labeling(own, own, energy=0.0, over_capacity=0)
    return Labeling(own, own, labeling_energy(alone, problem), count_over_capacity(alone, problem))
