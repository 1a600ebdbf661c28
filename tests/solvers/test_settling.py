"""Settling, against the energy computed from its definition."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.energy import energy
from lightning_comixup.method.grid import lattice
from lightning_comixup.method.problem import Labeling, Problem, labeling_to_masks
from lightning_comixup.solvers.compiler.jit import entry_point, source_fingerprint
from lightning_comixup.solvers.counts import count_all
from lightning_comixup.solvers.descent import group_energy
from lightning_comixup.solvers.diversity import diversity_energy
from lightning_comixup.solvers.group import Group, State, new_group, new_state
from lightning_comixup.solvers.loops import fill_rows
from lightning_comixup.solvers.reading import Arguments, read_problem
from lightning_comixup.solvers.settling import settle
from tests.random_problems import random_group

_FINGERPRINT = source_fingerprint()


def _compile(fingerprint: int):  # type: ignore[no-untyped-def]
    @entry_point
    def settle_group(arguments: Arguments, group: Group, state: State) -> tuple[float, float, int]:
        """Settle the labeling in `state`; return the energy before and after, and what keys the cache."""
        read_problem(arguments, group)
        fill_rows(state.extra, 0.0)
        count_all(group, state)
        state.diversity[0] = diversity_energy(group, state)
        before = group_energy(group, state)
        settle(group, state)
        state.diversity[0] = diversity_energy(group, state)
        return before, group_energy(group, state), fingerprint

    return settle_group


_settle_group = _compile(_FINGERPRINT)


class _Settled(NamedTuple):
    start: NDArray[np.float32]  # masks
    masks: NDArray[np.float32]
    before: float
    after: float


def _settle(problem: Problem, draws: np.random.Generator, outputs: int) -> _Settled:
    inputs, grid = problem.unary.shape[0], problem.unary.shape[1:]
    pair = np.sort(draws.integers(0, inputs, (2, outputs, int(np.prod(grid)))), axis=0)
    is_half = draws.random(pair.shape[1:]) < 0.3
    group = new_group(inputs, lattice(grid).neighbours, problem.hyperparameters)
    state = new_state(group, outputs)
    state.first[:], state.second[:] = pair[0], np.where(is_half, pair[1], pair[0])
    start = _masks(state, inputs, grid)
    parts = (problem.unary.reshape(inputs, -1), problem.compatibility, problem.prior)
    unary, compatibility, prior = (part.astype(np.float64) for part in parts)
    weight = problem.hyperparameters.prior_weight
    arguments = Arguments(unary, compatibility, prior, weight, state.first[None])
    before, after, _ = _settle_group(arguments, group, state)
    return _Settled(start, _masks(state, inputs, grid), before, after)


def _masks(state: State, inputs: int, grid: tuple[int, ...]) -> NDArray[np.float32]:
    shape = (len(state.first), *grid)
    parts = state.first.reshape(shape).astype(np.int32), state.second.reshape(shape).astype(np.int32)
    return labeling_to_masks(Labeling(*parts, 0.0, 0, 0), inputs)


def _energy(masks: NDArray[np.float32], problem: Problem) -> float:
    settings = vars(problem.hyperparameters)
    return energy(masks, problem.unary, problem.compatibility, prior=problem.prior, **settings)


def _problem(
    draws: np.random.Generator, inputs: int, grid: tuple[int, ...], omega: float, thresholding: str
) -> Problem:
    unary, _, prior = random_group(draws, inputs, grid)
    distance = draws.random((inputs, inputs))
    np.fill_diagonal(distance, 0)
    matrix = (1 - omega) * np.eye(inputs) + omega * inputs * distance / distance.sum()
    parameters = Hyperparameters(thresholding=thresholding, prior_weight=0.05)  # type: ignore[arg-type]
    return Problem(unary, matrix, prior, np.zeros((1, inputs, *grid), np.int32), parameters)


@pytest.mark.parametrize("thresholding", ["hard", "soft"])
@pytest.mark.parametrize("omega", [0.0, 0.001, 0.3, 1.0])
@pytest.mark.parametrize("grid", [(4, 4), (5,), (2, 3, 2)])
def test_energies_are_those_of_the_definition_and_fall(grid: tuple[int, ...], omega: float, thresholding: str) -> None:
    """Ten inputs need two rounds of lanes."""
    draws = np.random.default_rng(0)
    problem = _problem(draws, 10, grid, omega, thresholding)
    found = [_settle(problem, draws, 10) for _ in range(5)]
    for settled in found:
        assert settled.before == pytest.approx(_energy(settled.start, problem), rel=1e-9)
        assert settled.after == pytest.approx(_energy(settled.masks, problem), rel=1e-9)
        assert settled.after <= settled.before
    assert np.mean([settled.before - settled.after for settled in found]) > 0.1


@pytest.mark.parametrize("thresholding", ["hard", "soft"])
def test_no_move_of_a_cell_to_an_input_is_left(thresholding: str) -> None:
    """With A = I the price of a move is exact; half labels may change their other half only."""
    draws = np.random.default_rng(1)
    problem = _problem(draws, 5, (2, 3), 0.0, thresholding)
    tried = 0
    for _ in range(10):
        settled = _settle(problem, draws, 4)
        reached = _energy(settled.masks, problem)
        for output, row, column in np.ndindex(4, 2, 3):
            for label in np.flatnonzero(settled.masks[output, :, row, column] == 0):
                moved = settled.masks.copy()
                moved[output, :, row, column] = 0
                moved[output, label, row, column] = 1
                assert _energy(moved, problem) > reached - 1e-8
                tried += 1
    assert tried > 500
