"""Properties of `optimize_masks` and `energy` for any group. See `effort` for the number of groups."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

from lightning_comixup import energy, optimize_masks
from lightning_comixup.hyperparameters import make_hyperparameters
from lightning_comixup.method.energy import add_prior, count_over_capacity
from lightning_comixup.method.problem import HALF_LABEL_BONUS, Problem, labeling_to_masks
from lightning_comixup.solvers.dispatch import solve_groups
from tests.robustness.effort import cases
from tests.robustness.group_strategies import Group, groups
from tests.solvers.brute_force import all_labeling_costs, half_square_distances

# For sums in double precision, relative to their largest term.
_ROUNDING = 1e-9


def _outputs(group: Group) -> int:
    return len(group.unary if group.initial_labeling is None else group.initial_labeling)


def _check_masks(masks: NDArray[Any], group: Group) -> None:
    assert masks.dtype == np.float32
    assert masks.shape == (_outputs(group), *group.unary.shape)
    assert set(np.unique(masks)) <= {0.0, 0.5, 1.0}
    assert (masks.sum(1) == 1).all()


@given(group=groups())
@cases(short=150, long=5000)
def test_any_group_has_masks(group: Group) -> None:
    """The arguments are read-only, so writing to them would raise an error."""
    masks = optimize_masks(generator=5, **group.arguments())
    _check_masks(masks, group)
    assert (masks == optimize_masks(generator=5, **group.arguments())).all()


def _problem(group: Group) -> Problem:
    draws = np.random.default_rng(5)
    inputs, start = len(group.unary), group.initial_labeling
    prior = draws.dirichlet(np.full(inputs, 2.0)) if group.prior is None else group.prior
    starts = draws.integers(0, inputs, size=(2, *group.unary.shape)) if start is None else start[None]
    parameters = make_hyperparameters(group.hyperparameters)
    return Problem(group.unary, group.compatibility, prior, np.ascontiguousarray(starts, np.int32), parameters)


def _largest_term(problem: Problem) -> float:
    """Return a bound on every term of the energy."""
    parameters = problem.hyperparameters
    outputs, cells = problem.starts.shape[1], problem.unary[0].size
    cost = add_prior(problem.unary.astype(np.float64), problem.prior.astype(np.float64), parameters.prior_weight)
    paid = parameters.diversity * float(np.abs(problem.compatibility).max()) * outputs
    return (float(np.abs(cost).max()) + parameters.smoothness + paid) * outputs * cells


@given(group=groups())
@cases(short=100, long=3000)
def test_the_energy_reported_is_that_of_the_masks(group: Group) -> None:
    problem = _problem(group)
    labeling = solve_groups([problem])[0]
    masks = labeling_to_masks(labeling, len(group.unary))
    _check_masks(masks, group)
    reached = energy(masks, group.unary, group.compatibility, prior=problem.prior, **group.hyperparameters)
    assert np.isfinite(reached)
    assert labeling.energy == pytest.approx(reached, rel=_ROUNDING, abs=_ROUNDING * _largest_term(problem))
    if problem.hyperparameters.thresholding == "hard":  # a soft threshold has no margin for rounding
        assert labeling.over_capacity == count_over_capacity(labeling, problem)


@given(group=groups(most=3, most_cells=6, outputs=1))
@cases(short=100, long=3000)
def test_a_single_output_is_between_the_minimum_and_its_start(group: Group) -> None:
    """Without other outputs there is no diversity term, and the subproblem is small enough to list all labelings.

    Moves of single cells may end in a local minimum, above that of all labelings.
    """
    problem = _problem(group)
    labeling = solve_groups([problem])[0]
    inputs, grid = len(group.unary), group.unary.shape[1:]
    cells = int(np.prod(grid))
    parameters = problem.hyperparameters
    cost = add_prior(group.unary.astype(np.float64), problem.prior, parameters.prior_weight).reshape(inputs, cells).T
    halves = [np.eye(inputs)[list(pair)].mean(0) for pair in combinations(range(inputs), 2)]
    vectors = np.concatenate([np.eye(inputs), np.reshape(halves, (-1, inputs))])
    listed = all_labeling_costs(cost @ vectors.T, parameters.smoothness / cells * half_square_distances(vectors), grid)
    start = min(listed[tuple(start[0].ravel())] for start in problem.starts)
    slack = _ROUNDING * _largest_term(problem)
    bonus = HALF_LABEL_BONUS * cells if parameters.sweeps > 1 else 0
    assert listed.min() - slack <= labeling.energy <= start + bonus + slack


def _bad_parts(group: Group) -> list[tuple[str, Any]]:
    unary, matrix, inputs = group.unary.astype(np.float64), group.compatibility, len(group.unary)
    prior, start = np.full(inputs, 1 / inputs), np.zeros((2, *group.unary.shape[1:]), np.int64)
    parts: list[tuple[str, NDArray[Any]]] = [("unary", unary), ("compatibility", matrix), ("prior", prior)]
    bad: list[tuple[str, Any]] = [(name, value) for name, _ in parts for value in ("x", 1.0, [[1.0], [1.0, 2.0]], 1j)]
    for name, array in parts:
        bad += [(name, array.astype(kind)) for kind in (complex, object, str, np.longdouble)]
        bad += [(name, np.zeros(array.shape, kind)) for kind in ("datetime64[s]", "timedelta64[s]", [("x", float)])]
        bad += [(name, np.full_like(array, value)) for value in (np.nan, np.inf, -np.inf)]
        bad += [(name, np.concatenate([array, array])), (name, array[:0]), (name, array[..., :0])]
    bad += [("prior", -prior), ("unary", None), ("compatibility", None)]
    bad += [("initial_labeling", start.astype(kind)) for kind in (float, complex, object, str, bool)]
    bad += [("initial_labeling", value) for value in (start[:0], start[0], start - 1, start + inputs, start + 2**62)]
    return [*bad, ("initial_labeling", start.astype(np.uint64) + np.uint64(2**63)), ("initial_labeling", "x")]


@given(group=groups(most=5, most_cells=8))
@cases(short=30, long=500)
def test_parts_that_do_not_fit_are_refused(group: Group) -> None:
    masks = np.full((2, *group.unary.shape), 1 / len(group.unary))
    for name, value in _bad_parts(group):
        arguments = group.arguments() | {name: value}
        with pytest.raises((ValueError, TypeError)) as caught:
            optimize_masks(generator=0, **arguments)
        assert len(str(caught.value)) > 20
        start = arguments.pop("initial_labeling")
        if start is group.initial_labeling:  # `energy` does not have this argument
            with pytest.raises((ValueError, TypeError)):
                energy(masks, **arguments)
