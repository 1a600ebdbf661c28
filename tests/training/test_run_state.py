"""What a run says once."""

from __future__ import annotations

import pytest
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lightning_comixup import CoMixup
from tests.tiny import CLASSES, Plain, fit, make_data


@pytest.mark.parametrize(("smoothing", "times"), [(0.0, 0), (0.1, 1)])
def test_targets_that_come_mixed_already_are_said_once(
    smoothing: float, times: int, caplog: pytest.LogCaptureFixture
) -> None:
    inputs, targets = make_data(20)
    rows = F.one_hot(targets, CLASSES) * (1 - smoothing) + smoothing / CLASSES
    with caplog.at_level("INFO"):
        fit(Plain(), loader=DataLoader(TensorDataset(inputs, rows), batch_size=10))
    assert sum("batches are mixed twice" in record.getMessage() for record in caplog.records) == times


def test_a_solver_that_mixes_nothing_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        fit(Plain(), CoMixup(seed=0, smoothness=1.5, penalty_threshold=0.0), max_epochs=30)
    said = [record.getMessage() for record in caplog.records if "nothing was mixed" in record.getMessage()]
    assert len(said) == 1
    assert "Lower smoothness" in said[0]
