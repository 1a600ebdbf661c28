"""The result of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from examples.study_parts import work
from examples.study_parts.data import Split
from examples.study_parts.measures import Measures, fit_temperature, measure
from examples.study_parts.names import NONE
from examples.study_parts.plan import Run
from examples.study_parts.work import do_run
from tests.study.tiny import make_images


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
