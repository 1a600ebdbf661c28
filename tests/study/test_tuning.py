"""The choice of learning rates and weight decay: the trials, and the result of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.study_parts import tuning
from examples.study_parts.data import Split
from examples.study_parts.plan import SETTINGS
from examples.study_parts.tuning import Trial, plan_trials, try_rates
from tests.study.tiny import make_images


def test_trials_have_their_own_seeds_and_labels() -> None:
    trials = plan_trials(SETTINGS)
    assert {trial[:2] for trial in trials} == {("fashion", 500), ("clutter", 500), ("cells", 600), ("digits", 600)}
    assert [trial.budget for trial in trials] == sorted(trial.budget for trial in trials)
    assert {trial.seed for trial in trials}.isdisjoint(range(5))
    middle = [trial for trial in trials if trial.budget == 3 and trial.part == "cells"]
    assert len({(trial.learning_rate, trial.seed) for trial in middle}) == len(middle) == 8
    assert {trial.weight_decay for trial in middle} == {1e-4}
    long = [trial for trial in trials if trial.budget == 10 and trial.part == "cells"]
    assert len({(trial.learning_rate, trial.weight_decay) for trial in long}) == len(long) == 6


def test_a_trial_uses_only_the_validation_images(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = make_images(1, 16)._replace(pixels=None)  # type: ignore[arg-type]
    split = Split(make_images(20, 16), make_images(40, 16), nothing)
    monkeypatch.setattr(tuning, "draw_split", lambda *_: split)
    monkeypatch.setattr(tuning, "plain_steps", lambda setting, budget: 2)
    trial = Trial("digits", 600, 3, 0.1, 1e-4, 100)
    found = try_rates(trial, Path())
    assert found[:6] == trial
    assert 0 <= found.val_accuracy <= 1
    assert found == try_rates(trial, Path())
    assert found.val_nll != try_rates(trial._replace(learning_rate=0.4), Path()).val_nll
    assert found.val_nll != try_rates(trial._replace(weight_decay=1.0), Path()).val_nll
