"""The cost of a step, as a ratio of rounds that run one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.study_parts import costs
from examples.study_parts.names import NONE, PAPER
from examples.study_parts.plan import Cost


def test_the_ratio_is_the_median_of_rounds_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ratio is unchanged if the machine is three times slower during two rounds, or during half of one."""
    milliseconds = iter([20.0, 10.0, 60.0, 30.0, 66.0, 30.0, 20.0, 10.0, 60.0, 10.0])
    asked = []

    def pretend(part: str, method: str, *_: object) -> float:
        asked.append((part, method))
        return next(milliseconds)

    monkeypatch.setattr(costs, "_ROUNDS", 5)
    monkeypatch.setattr(costs, "_round", pretend)
    found = costs.measure_cost("digits", PAPER, "small", "cpu", Path())
    assert found == Cost("digits", "small", PAPER, 2.0, 60.0, 10.0)
    assert asked == [("digits", PAPER), ("digits", NONE)] * 5


def test_a_step_is_timed_after_the_first_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "_STEPS", 2)
    monkeypatch.setattr(costs, "_SKIPPED", 1)
    plain = costs.measure_cost("digits", NONE, "small", "cpu", Path())
    assert plain[:4] == ("digits", "small", NONE, 1.0)
    assert 1 < plain.milliseconds == plain.plain_milliseconds < 1000
