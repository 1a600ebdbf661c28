"""Solving one output while the others stay fixed, compared with lists of all labelings."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.energy import add_prior
from lightning_comixup.method.problem import HALF_LABEL_BONUS, Labeling, Problem
from tests.random_problems import random_group
from tests.solvers.brute_force import all_labeling_costs, half_square_distances
from tests.solvers.probe import SOLVE, make_step

# Grid and number of inputs, small enough to list all labelings, including half labels.
_SMALL = [((2, 2), 4), ((3, 2), 3), ((4,), 4), ((7,), 2), ((2, 2, 2), 2), ((3, 1), 4), ((1,), 4)]


class _Solved(NamedTuple):
    start: float  # the objective before the step
    reached: float  # the objective after the step
    lowest: float  # the lowest objective of all labelings
    highest: float


def _solve(problem: Problem, labeling: Labeling, use_halves: bool) -> _Solved:
    """Solve output 0, and list all labelings with costs computed from the definition."""
    inputs, grid = len(problem.unary), problem.unary.shape[1:]
    cells, parameters = problem.unary[0].size, problem.hyperparameters
    stepped = make_step(problem, labeling, step=SOLVE, use_halves=use_halves)
    pairs = [tuple(sorted(pair)) for pair in combinations(stepped.most_used, 2)] if use_halves else []
    halves = [0.5 * np.eye(inputs)[list(pair)].sum(0) for pair in pairs]
    vectors = np.concatenate([np.eye(inputs), np.reshape(halves, (-1, inputs))])
    cost = add_prior(problem.unary, problem.prior, parameters.prior_weight).reshape(inputs, cells).T + stepped.price
    own = cost @ vectors.T
    own[:, inputs:] -= HALF_LABEL_BONUS
    listed = all_labeling_costs(own, parameters.smoothness / cells * half_square_distances(vectors), grid)
    label_of = {(i, i): i for i in range(inputs)} | {pair: inputs + k for k, pair in enumerate(pairs)}

    def cost_of(side: Labeling) -> float:
        pairs = zip(side.first[0].ravel().tolist(), side.second[0].ravel().tolist(), strict=True)
        return float(listed[tuple(label_of[pair] for pair in pairs)])

    return _Solved(cost_of(labeling), cost_of(stepped.labeling), float(listed.min()), float(listed.max()))


def _case(draws: np.random.Generator, kind: str, smoothness: float) -> tuple[Problem, Labeling]:
    grid, inputs = _SMALL[draws.integers(len(_SMALL))]
    unary, matrix, prior = random_group(draws, inputs, grid)
    if kind != "saliency":
        unary = draws.integers(0, 3, size=unary.shape) / 4 if kind == "ties" else np.zeros_like(unary)
        prior = np.full_like(prior, 1 / inputs)
    # Output 0 uses at most three inputs, so that its half labels are offered.
    used = draws.permutation(inputs)[: draws.integers(1, min(inputs, 3) + 1)]
    start = draws.choice(used, size=(1, *grid))
    others = draws.integers(0, inputs, size=(2, *grid))
    labels = np.concatenate([start, others]).astype(np.int32)
    problem = Problem(unary, matrix, prior, labels[None], Hyperparameters(smoothness=smoothness, penalty_threshold=0.6))
    return problem, Labeling(labels, labels, 0.0, 0)


@pytest.mark.parametrize("kind", ["saliency", "ties", "equal"])
@pytest.mark.parametrize("use_halves", [False, True])
def test_a_step_never_raises_the_bound_and_mostly_reaches_the_minimum(kind: str, use_halves: bool) -> None:
    """The step is close to the minimum on average, and reaches it in most cases."""
    draws = np.random.default_rng(7)
    gaps, at_minimum = [], []
    for smoothness in (0.0, 0.1, 0.32, 1.0):
        for _ in range(40):
            solved = _solve(*_case(draws, kind, smoothness), use_halves)
            assert solved.reached <= solved.start + 1e-12
            gaps.append((solved.reached - solved.lowest) / max(solved.highest - solved.lowest, 1e-12))
            at_minimum.append(gaps[-1] < 1e-9)
            if smoothness == 0:
                assert at_minimum[-1]
    assert max(gaps) < 0.5
    assert np.mean(gaps) < 0.02
    assert np.mean(at_minimum) > 0.75


def test_a_cell_takes_the_cheapest_label_given_its_neighbours() -> None:
    """In a row of three, the middle cell prefers input 1, but by less than the cost of its two edges."""
    unary = np.array([[-1.0, -0.4, -1.0], [0.0, -0.5, 0.0]])
    start = np.array([[0, 1, 0], [0, 1, 0]])
    problem = Problem(unary, np.eye(2), np.full(2, 0.5), start[None], Hyperparameters(smoothness=0.6, diversity=0))
    assert make_step(problem, step=SOLVE, use_halves=False).labeling.first[0].tolist() == [0, 0, 0]
    apart = Problem(unary, np.eye(2), np.full(2, 0.5), start[None], Hyperparameters(smoothness=0.1, diversity=0))
    assert make_step(apart, step=SOLVE, use_halves=False).labeling.first[0].tolist() == [0, 1, 0]


def test_only_the_solved_output_changes() -> None:
    draws = np.random.default_rng(3)
    problem, labeling = _case(draws, "saliency", 0.32)
    after = make_step(problem, labeling, step=SOLVE).labeling
    assert (after.first[1:] == labeling.first[1:]).all()
    assert (after.second[1:] == labeling.second[1:]).all()


def _best_cells(problem: Problem) -> NDArray[np.int64]:
    return add_prior(problem.unary, problem.prior, problem.hyperparameters.prior_weight).argmin(0)


def test_without_smoothness_and_diversity_each_cell_takes_its_cheapest_input() -> None:
    unary, matrix, prior = random_group(np.random.default_rng(5), 7, (4, 5))
    start = np.zeros((1, 3, 4, 5), int)
    problem = Problem(unary, matrix, prior, start, Hyperparameters(smoothness=0, diversity=0))
    solved = make_step(problem, step=SOLVE, output=2, use_halves=False).labeling
    assert (solved.first[2] == _best_cells(problem)).all()
