"""How tasks are spread over processes, and what a run returns."""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from examples.study_parts import work
from examples.study_parts.data import Split
from examples.study_parts.measures import Measures, fit_temperature, measure
from examples.study_parts.methods import NONE
from examples.study_parts.plan import Run
from examples.study_parts.work import do_run, spread
from tests.study.tiny import make_images


def _failing(number: int) -> float:
    return 1 / number


def test_every_task_is_done_in_turn() -> None:
    assert list(spread(math.sqrt, [4.0, 9.0, 16.0, 25.0], 1)) == [2, 3, 4, 5]


def test_a_task_that_fails_in_another_process_ends_them_all() -> None:
    with pytest.raises(ZeroDivisionError):
        list(spread(_failing, [0], 2))
    assert multiprocessing.active_children() == []


def test_none_is_begun_when_the_time_is_over() -> None:
    assert list(spread(math.sqrt, [4.0], 1, end=time.monotonic() - 1)) == []
    assert list(spread(math.sqrt, [4.0], 2, end=time.monotonic() - 1)) == []
    end = time.monotonic() + 1
    found = spread(_wait_until(end), [1, 2], 1, end)
    assert list(found) == [1]


def _wait_until(end: float) -> Callable[[int], int]:
    def wait(number: int) -> int:
        time.sleep(max(0.0, end - time.monotonic()))
        return number

    return wait


def test_a_run_is_measured_on_both_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    split = Split(make_images(20, 16), make_images(40, 16), make_images(60, 16))
    logits = {len(part.labels): torch.randn(len(part.labels), 10) for part in split}
    monkeypatch.setattr(work, "draw_split", lambda *_: split)
    monkeypatch.setattr(work, "predict", lambda module, pixels: logits[len(pixels)])
    found = do_run(Run("digits", 600, "small", NONE, 1, 0, 2), Path(), "cpu")
    assert found[:7] == ("digits", 600, "small", NONE, 1, 0, 2)
    assert Measures(*found[7:10]) == measure(logits[40], split.validation.labels)
    assert Measures(*found[10:13]) == measure(logits[60], split.test.labels)
    assert found.temperature == fit_temperature(logits[40], split.validation.labels)
    assert (found.scaled_ece, found.scaled_nll) == measure(logits[60] / found.temperature, split.test.labels)[1:]
    assert found.seconds > 0
