"""The labeling: from which input each cell of each output comes, by the solver that is asked for."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_comixup.hyperparameters import Solver, make_hyperparameters
from lightning_comixup.method.energy import labeling_energy
from lightning_comixup.method.problem import (
    Labeling,
    Problem,
    as_numbers,
    check_shapes,
    check_values,
    labeling_to_masks,
)
from lightning_comixup.method.random import GeneratorLike, as_generator, draw_prior, draw_starts


class SolverEntry(NamedTuple):
    """The module of a solver, and what it can do."""

    module: str  # has `solve(problem) -> Labeling`; imported when first used, with its backend
    threads: bool  # whether several groups may be solved at once
    checks: bool  # whether it checks the values of a problem itself, see `check_values`


SOLVERS: dict[Solver, SolverEntry] = {
    "exact": SolverEntry("lightning_comixup.solvers.exact", threads=True, checks=True),
    "pygco": SolverEntry("lightning_comixup.solvers.pygco", threads=False, checks=False),
}


def optimize_masks(
    unary: NDArray[np.floating[Any]],
    compatibility: NDArray[np.floating[Any]],
    *,
    prior: NDArray[np.floating[Any]] | None = None,
    initial_labeling: NDArray[np.integer[Any]] | None = None,
    generator: GeneratorLike = None,
    **hyperparameters: Any,
) -> NDArray[np.float32]:
    """Find the mixing masks of one group of inputs: minimise `energy` over masks with values 0, ½ and 1.

    Starting from a labeling, the outputs are solved in turn with the others fixed, the diversity term replaced by its
    modular bound (algorithm 1 of the paper).

    Args:
        unary: (N, *grid) data cost, without the prior.
        compatibility: (N, N) compatibility matrix A.
        prior: (N,) the Dirichlet draw; None: drawn.
        initial_labeling: (M, *grid) input indices, the only start. None: `restarts` starts are drawn, with M = N.
        generator: Draws the random numbers; a generator, a seed or None, see `GeneratorLike`.
        **hyperparameters: As for `CoMixup`, `solver` among them; those of earlier steps, such as `grid_size`, have no
            effect.

    Returns:
        (M, N, *grid) float32 masks, summing to 1 over the inputs.

    Raises:
        ValueError: If shapes do not fit, values are not finite or so large that energies overflow, the prior is
            negative, or an index, the seed or a hyper-parameter is out of its range.
        TypeError: If something is not an array of real numbers, the labeling is not integer, or the generator or a
            hyper-parameter has the wrong type or name.
        ImportError: If the solver's backend is not installed.
    """
    parameters = make_hyperparameters(hyperparameters)
    unary, compatibility = as_numbers("unary", unary), as_numbers("compatibility", compatibility)
    prior = None if prior is None else as_numbers("prior", prior)
    labeling = None if initial_labeling is None else as_numbers("initial_labeling", initial_labeling)
    check_shapes(unary, compatibility, prior, labeling)
    starts = None if labeling is None else labeling[None]
    if prior is None or starts is None or generator is not None:
        draws = as_generator(generator)
        prior = draw_prior(draws, unary.shape[0], parameters.alpha) if prior is None else prior
        starts = draw_starts(draws, parameters.restarts, unary.shape[0], unary.shape[1:]) if starts is None else starts
    problem = Problem(unary, compatibility, prior, starts, parameters)
    return labeling_to_masks(solve_groups([problem])[0], unary.shape[0])


def solve_groups(problems: Sequence[Problem]) -> list[Labeling]:
    """Solve the groups of a batch, in as many threads as torch uses; the results do not depend on their number."""
    workers = 1
    if len(problems) > 1 and SOLVERS[problems[0].hyperparameters.solver].threads:
        workers = min(len(problems), torch.get_num_threads())
    if workers == 1:
        return [_solve(problem) for problem in problems]
    waiting, solved = deque(enumerate(problems)), dict[int, Labeling]()
    # This thread solves groups as well: waking another takes a good part of the time of a group.
    pool = _pool(torch.get_num_threads() - 1, os.getpid())
    others = [pool.submit(_work, waiting, solved) for _ in range(1, workers)]
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
    """Keep the threads from batch to batch: starting them takes as long as solving a group.

    A forked process does not inherit them, hence the second argument.
    """
    return ThreadPoolExecutor(workers, thread_name_prefix="comixup")


def warm_up(solver: Solver) -> None:
    """Make a solver ready to use: compile it, or load it from its cache.

    Raises:
        ImportError: If the solver's backend is not installed.
    """
    unary = np.array([[-0.9, -0.1], [-0.1, -0.9]])
    optimize_masks(unary, np.eye(2), generator=0, solver=solver)


def _solve(problem: Problem) -> Labeling:
    entry, is_alone = SOLVERS[problem.hyperparameters.solver], problem.unary.shape[0] == 1
    if is_alone or not entry.checks:
        check_values(problem.unary, problem.compatibility, problem.prior, problem.starts)
    if is_alone:
        return _unmixed(problem)
    return _solver(entry.module)(problem)


@cache
def _solver(module: str) -> Callable[[Problem], Labeling]:
    return cast(Callable[[Problem], Labeling], import_module(module).solve)


def _unmixed(problem: Problem) -> Labeling:
    """Return the only labeling of a group of one."""
    own = np.zeros(problem.starts.shape[1:], np.int32)
    labeling = Labeling(own, own, energy=0.0, proven=0, subproblems=0)
    return labeling._replace(energy=labeling_energy(labeling, problem))
