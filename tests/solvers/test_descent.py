from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lightning_comixup import optimize_masks
from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.energy import compute_unary, count_over_capacity, energy, labeling_energy
from lightning_comixup.method.problem import Labeling, Problem, labeling_to_masks
from lightning_comixup.method.random import draw_starts
from lightning_comixup.solvers import arrays as at
from lightning_comixup.solvers.descent import best_descent, solve
from lightning_comixup.solvers.load_problem import scaled_weights
from tests.golden_groups import GoldenGroup, load_golden_groups
from tests.random_problems import blob_saliency, random_group


def _problem(group: GoldenGroup, starts: NDArray[np.int32]) -> Problem:
    return Problem(group.unary, group.compatibility, group.prior, starts, Hyperparameters(**group.hyperparameters))


def test_energy_reported_is_the_energy_of_the_labeling_returned() -> None:
    for group in load_golden_groups():
        labeling = solve(_problem(group, group.start[None].astype(np.int32)))
        inputs = len(group.unary)
        arguments = (group.unary, group.compatibility)
        found = energy(labeling_to_masks(labeling, inputs), *arguments, prior=group.prior, **group.hyperparameters)
        assert labeling.energy == pytest.approx(found, rel=1e-9)


def test_mean_energy_from_one_start_is_not_above_the_authors() -> None:
    """For one group, the difference is noise of the descent. Its mean over many starts must not be positive."""
    differences = []
    for group in load_golden_groups():
        if group.grid != 4 or len(group.unary) != 20:
            continue
        starts = draw_starts(np.random.default_rng(0), 8, 20, (4, 4))
        ours = [solve(_problem(group, start[None])).energy for start in starts]
        theirs = energy(group.masks, group.unary, group.compatibility, prior=group.prior, **group.hyperparameters)
        differences.append(np.mean(ours) - theirs)
    noise = np.std(differences) / np.sqrt(len(differences))
    assert np.mean(differences) < 2 * noise


def _solve_random(grid: tuple[int, ...], **changes: object) -> tuple[Problem, Labeling]:
    draws = np.random.default_rng(3)
    unary, matrix, prior = random_group(draws, 8, grid)
    starts = draw_starts(draws, 5, 8, grid)
    problem = Problem(unary, matrix, prior, starts, Hyperparameters(**changes))  # type: ignore[arg-type]
    return problem, solve(problem)


@pytest.mark.parametrize("grid", [(70,), (9, 8), (5, 14), (4, 5, 4)])  # too many cells for additional starts
def test_result_is_the_lowest_of_all_starts(grid: tuple[int, ...]) -> None:
    problem, labeling = _solve_random(grid, sweeps=5)
    parameters = problem.hyperparameters
    alone = [
        solve(Problem(problem.unary, problem.compatibility, problem.prior, start[None], parameters)).energy
        for start in problem.starts
    ]
    assert labeling.energy == min(alone)
    assert len(set(alone)) > 1


def _energies(**changes: Any) -> list[float]:
    """Return the energies reached from the recorded starts of some groups."""
    reached = []
    for group in load_golden_groups()[:12]:
        parameters = Hyperparameters(**(group.hyperparameters | changes))
        start = group.start[None].astype(np.int32)
        reached.append(solve(Problem(group.unary, group.compatibility, group.prior, start, parameters)).energy)
    return reached


@pytest.mark.parametrize(("grid", "bound"), [(2, -23.8), (4, -27.8), (8, -29.4), (16, -26.6)])
def test_mean_energy_of_the_recorded_groups_at_default_settings(grid: int, bound: float) -> None:
    """The authors' labelings have -22.2, -15.3, 22.6 and 93.8. From the same start, none of theirs is lower."""
    reached, theirs = [], []
    for group in load_golden_groups():
        if group.grid != grid or len(group.unary) != 20 or not group.has_default_settings:
            continue
        reached.append(solve(_problem(group, group.start[None].astype(np.int32))).energy)
        arguments = (group.masks, group.unary, group.compatibility)
        theirs.append(energy(*arguments, prior=group.prior, **group.hyperparameters))
    assert len(reached) >= 4
    assert bound - 0.5 < np.mean(reached) < bound
    assert (np.array(reached) < theirs).all()


def test_resolving_duplicates_acts_on_the_last_of_several_sweeps() -> None:
    once = [_energies(sweeps=1, resolve_duplicates=resolve) for resolve in (False, True)]
    assert once[0] == once[1]
    several = [_energies(sweeps=4, resolve_duplicates=resolve) for resolve in (False, True)]
    assert several[0] != several[1]


def test_few_outputs_stay_above_capacity_on_a_fine_grid_of_flat_saliency() -> None:
    """If no input has room for another cell, whole outputs must change. Otherwise, half of the runs end at 17 to 41."""
    energies = []
    for seed in range(12):
        draws = np.random.default_rng(seed)
        unary = compute_unary(blob_saliency(draws, 20, (12, 12)) + 0.5)
        prior = draws.dirichlet(np.full(20, 2.0))
        starts = draw_starts(draws, 1, 20, (12, 12))
        energies.append(solve(Problem(unary, np.eye(20), prior, starts, Hyperparameters())).energy)
    assert np.median(energies) < -17
    assert np.mean(energies) < -15


def test_it_is_compiled_once() -> None:
    draws = np.random.default_rng(3)
    cases: list[tuple[tuple[int, ...], dict[str, Any]]] = [
        ((5,), {}),
        ((2, 2), {"penalty_threshold": 1}),
        ((2, 2, 2), {"smoothness": 0, "diversity": 1}),
    ]
    for grid, changes in cases:
        unary, matrix, prior = random_group(draws, 3, grid)
        matrix.flags.writeable = False
        for starts in (draw_starts(draws, 1, 3, grid), np.asfortranarray(draw_starts(draws, 2, 3, grid))):
            starts.flags.writeable = False
            solve(Problem(unary.astype(np.float32), matrix, prior, starts, Hyperparameters(**changes)))
    assert len(best_descent._dispatcher.signatures) == 1


def test_a_prior_that_overflows_is_refused_without_a_warning() -> None:
    arrays = np.zeros((2, 1)), np.eye(2)
    with pytest.raises(ValueError, match="Energies must stay below"):
        optimize_masks(*arrays, prior=np.array([0.0, 1.0]), initial_labeling=np.zeros((2, 1), int), prior_weight=1e308)


@pytest.mark.parametrize("changes", [{"diversity": 1.7e308}, {"smoothness": 1e305}, {"prior_weight": 1e300}])
def test_absurd_weights_are_refused(changes: dict[str, float]) -> None:
    """Energies that overflow cannot be compared, and compiled code does not check whether NaN becomes an index."""
    draws = np.random.default_rng(3)
    unary, matrix, prior = random_group(draws, 4, (2, 2))
    problem = Problem(unary, matrix, prior, draw_starts(draws, 2, 4, (2, 2)), Hyperparameters(**changes))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Energies must stay below 1e\\+300"):
        solve(problem)


def test_large_weights_give_a_labeling() -> None:
    draws = np.random.default_rng(3)
    unary, matrix, prior = random_group(draws, 4, (2, 2))
    starts = draw_starts(draws, 2, 4, (2, 2))
    labeling = solve(Problem(unary, matrix, prior, starts, Hyperparameters(diversity=1e200, smoothness=1e250)))
    assert labeling.first.min() >= 0
    assert labeling.first.max() < 4


def test_problem_is_left_as_it_is() -> None:
    problem, _ = _solve_random((4, 4))
    copies = [problem.unary.copy(), problem.compatibility.copy(), problem.prior.copy(), problem.starts.copy()]
    solve(problem)
    originals = [problem.unary, problem.compatibility, problem.prior, problem.starts]
    assert all((a == b).all() for a, b in zip(copies, originals, strict=True))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["unary", "compatibility", "prior"])
def test_non_finite_values_are_refused_even_if_they_have_no_weight(name: str, value: float) -> None:
    """Code that is compiled under the assumption that there is no NaN would not find it."""
    draws = np.random.default_rng(3)
    unary, matrix, prior = random_group(draws, 4, (2, 2))
    arrays: dict[str, Any] = {"unary": unary, "compatibility": matrix, "prior": prior}
    arrays[name].reshape(-1)[1] = value
    with pytest.raises(ValueError, match=f"{name} must be finite"):
        optimize_masks(**arrays, generator=0, diversity=0, smoothness=0, prior_weight=0)


def test_the_number_of_sweeps_is_limited() -> None:
    problem, expected = _solve_random((1,), sweeps=1000)
    many = Hyperparameters(sweeps=2**63 - 1)
    assert scaled_weights(Problem(problem.unary, problem.compatibility, problem.prior, problem.starts, many))[
        at.SWEEPS
    ] == pytest.approx(1e6)
    assert expected.first.max() < 8


def test_one_sweep_offers_no_half_labels() -> None:
    """The same holds for the sweeps over outputs above capacity that may follow."""
    for seed in range(40):
        draws = np.random.default_rng(seed)
        unary, matrix, prior = random_group(draws, 8, (3, 3))
        start = draws.integers(0, 8, size=(1, 8, 3, 3))
        parameters = Hyperparameters(sweeps=1, penalty_threshold=0.3)
        labeling = solve(Problem(unary, matrix, prior, start, parameters))
        assert (labeling.first == labeling.second).all()


def test_loads_equal_to_a_capacity_of_zero_do_not_exceed_it() -> None:
    """The sums are zero except for rounding, and the energy of the masks is summed in another order."""
    for seed in range(200):
        draws = np.random.default_rng(seed)
        unary, matrix, prior = random_group(draws, 5, (3, 2))
        np.fill_diagonal(matrix, 0.0)
        start = draws.integers(0, 5, size=(1, 3, 3, 2))
        parameters = Hyperparameters(penalty_threshold=0.0)
        problem = Problem(unary, matrix, prior, start, parameters)
        labeling = solve(problem)
        assert labeling.energy == pytest.approx(labeling_energy(labeling, problem), rel=1e-9, abs=1e-9)
        assert labeling.over_capacity == count_over_capacity(labeling, problem)
