"""The runs of the study, their numbers of steps and their order."""

from __future__ import annotations

from collections import defaultdict

import pytest

from examples.study_parts.methods import METHODS
from examples.study_parts.names import (
    AUTHORS_CUTS,
    FAST,
    HALF_CUTMIX,
    LOW,
    MIXUP,
    NONE,
    PAPER,
    RANDOM,
    STOPPED,
    TUNED,
    TUNED_MIXING,
)
from examples.study_parts.plan import (
    MAIN,
    REAL_SIZE,
    SETTINGS,
    Run,
    Setting,
    Wish,
    first_stage,
    places,
    plain_steps,
    plan_runs,
    steps_in_time,
    unfinished,
)
from tests.study.tiny import make_result

_ALIKE: defaultdict[tuple[str, str], float] = defaultdict(lambda: 1.0)


def test_a_budget_is_a_number_of_epochs_of_plain_training() -> None:
    assert plain_steps(Setting("fashion", 500), 1) == 60 * 5
    assert plain_steps(Setting("cells", 600), 10) == 600 * 6
    assert plain_steps(REAL_SIZE, 3) == 30 * 236
    assert plain_steps(Setting("fashion", 40, epochs=2), 1) == 2  # a single batch of all images


def test_more_expensive_methods_have_fewer_steps_in_equal_time() -> None:
    assert steps_in_time(300, 2.0) == 150
    assert steps_in_time(300, 1.1) == 273
    assert steps_in_time(300, 500.0) == 2


def test_steps_follow_from_the_costs_of_the_part() -> None:
    wish = Wish(SETTINGS[:3], [NONE, PAPER, TUNED, f"{PAPER}, tuned"], None, 1)
    ratios = {("fashion", NONE): 1.0, ("fashion", PAPER): 2.0, ("clutter", NONE): 1.0, ("clutter", PAPER): 3.0}
    steps = {run[:5]: run.steps for run in plan_runs(wish, ratios)}
    assert steps["fashion", 500, "small", PAPER, 3] == 450
    assert steps["fashion", 2000, "small", PAPER, 3] == 1800
    assert steps["clutter", 500, "small", PAPER, 3] == 300
    assert steps["clutter", 500, "small", TUNED, 10] == 3000
    assert steps["clutter", 500, "small", f"{PAPER}, tuned", 10] == 1000


def test_every_method_has_its_budgets_and_seeds() -> None:
    runs = plan_runs(Wish(), _ALIKE)
    assert len(set(runs)) == len(runs)
    found = defaultdict(set)
    for run in runs:
        found[run.method].add((run.budget, run.seed))
    assert found.keys() == METHODS.keys()
    for method, pairs in found.items():
        own = {MIXUP: {3, 10}, RANDOM: {3, 10}, LOW: {1, 3, 10}}
        own |= {method: {10} for method in (TUNED, STOPPED, *TUNED_MIXING)}
        budgets = {1, 3, 10} if method in MAIN else own.get(method, {3})
        assert pairs == {(budget, seed) for budget in budgets for seed in range(5 if method in MAIN else 3)}
    assert set(MAIN) == {NONE, HALF_CUTMIX, PAPER, FAST}
    assert {run[:2] for run in runs if run.method == AUTHORS_CUTS} == {("fashion", 500)}
    assert {run[:2] for run in runs if run.method == NONE} == {setting[:2] for setting in SETTINGS}
    few = {("fashion", 500), ("clutter", 500), ("cells", 600), ("digits", 600)}
    assert {run[:2] for run in runs if run.method in TUNED_MIXING} == few


def test_the_most_informative_runs_come_first() -> None:
    runs = plan_runs(Wish(), _ALIKE)
    assert [run.method for run in runs[:4]] == list(MAIN)
    kinds = [(run.method in MAIN, run.seed, run.budget) for run in runs]
    expected = [(True, seed, budget) for seed in range(3) for budget in (1, 3, 10)]
    expected += [(False, seed, budget) for seed in range(3) for budget in (1, 3, 10)]
    expected += [(True, seed, budget) for seed in (3, 4) for budget in (1, 3, 10)]
    assert list(dict.fromkeys(kinds)) == expected
    first = plan_runs(first_stage(Wish()), _ALIKE)
    assert first == runs[: len(first)]
    assert len(first) == 4 * 6 * 3 * 3


def test_requested_values_replace_the_studys_own() -> None:
    runs = plan_runs(Wish(SETTINGS[4:5], ["MixUp", AUTHORS_CUTS], [2, 30], 4, "resnet18"), _ALIKE)
    assert {run[:4] for run in runs} == {("cells", 600, "resnet18", "MixUp")}
    assert [(run.budget, run.seed) for run in runs[:3]] == [(2, 0), (30, 0), (2, 1)]
    assert len(runs) == 2 * 4
    assert first_stage(Wish(seeds=2)).seeds == 2


def test_costs_are_measured_once_for_methods_of_equal_cost() -> None:
    found = places(Wish(SETTINGS[:3], [STOPPED, PAPER]))
    assert found == [("fashion", NONE), ("fashion", PAPER), ("clutter", NONE), ("clutter", PAPER)]


def test_finished_runs_are_left_out() -> None:
    result = make_result(NONE, 3, 0, 0.5)
    run = Run(*result[:7])
    other = run._replace(seed=1)
    assert unfinished([run, other], [result]) == [other]
    with pytest.raises(ValueError, match=r"must have as many steps, found 7. Choose another folder"):
        unfinished([run._replace(steps=8)], [result])
