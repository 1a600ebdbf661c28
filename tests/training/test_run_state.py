"""Messages that a run shows only once."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import pytest
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lightning_comixup import CoMixup
from tests.tiny import CLASSES, Plain, fit, make_data


@pytest.mark.parametrize(("smoothing", "times"), [(0.0, 0), (0.1, 1)])
def test_targets_that_are_already_mixed_are_reported_once(
    smoothing: float, times: int, caplog: pytest.LogCaptureFixture
) -> None:
    inputs, targets = make_data(20)
    rows = F.one_hot(targets, CLASSES) * (1 - smoothing) + smoothing / CLASSES
    with caplog.at_level("INFO"):
        fit(Plain(), loader=DataLoader(TensorDataset(inputs, rows), batch_size=10))
    assert sum("batches are mixed twice" in record.getMessage() for record in caplog.records) == times


def test_a_solver_that_mixes_nothing_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        fit(Plain(), CoMixup(seed=0, smoothness=1.5, penalty_threshold=0.0), max_epochs=30)
    said = [record.getMessage() for record in caplog.records if "nothing was mixed" in record.getMessage()]
    assert len(said) == 1
    assert "Lower smoothness" in said[0]


class _Watcher(pl.Callback):
    def on_train_batch_end(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize(("in_place", "times"), [(True, 1), (False, 0)])
def test_hooks_that_get_the_mixed_batch_after_the_step_are_reported_once(
    in_place: bool, times: int, caplog: pytest.LogCaptureFixture
) -> None:
    class Hooked(Plain):
        def on_train_batch_end(self, *_: Any) -> None:
            pass

    inputs, targets = make_data(20)
    data: Any = [[inputs, targets] if in_place else (inputs, targets)]
    loader: DataLoader[Any] = DataLoader(data, batch_size=None, collate_fn=lambda batch: batch)
    with caplog.at_level("INFO"):
        fit(Hooked(), CoMixup(seed=0), _Watcher(), loader=loader)
    said = [record.getMessage() for record in caplog.records if "on_train_batch_end of" in record.getMessage()]
    assert len(said) == times
    assert all("of Hooked, _Watcher gets" in message for message in said)
