from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.classification import multiclass_accuracy

from lightning_comixup import CoMixup
from lightning_comixup.training.training_step import add_soft_target_hint
from tests.tiny import CLASSES, Plain, fit


class _HardLoss(Plain):
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return F.nll_loss(self(batch[0]).log_softmax(1), batch[1])


class _HardMetric(Plain):
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        multiclass_accuracy(self(batch[0]), batch[1], CLASSES)
        return F.cross_entropy(self(batch[0]), batch[1])


def _hints(error: BaseException, caplog: pytest.LogCaptureFixture) -> str:
    """Return what was added to an error, or logged before Python 3.11."""
    return "\n".join([*getattr(error, "__notes__", []), *(record.getMessage() for record in caplog.records)])


@pytest.mark.parametrize("module", [_HardLoss, _HardMetric])
def test_a_loss_or_metric_that_wants_integers_is_explained(
    module: type[Plain], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(Exception) as raised:
        fit(module(), CoMixup(seed=0))
    assert "its targets are class probabilities (B, K)" in _hints(raised.value, caplog)


@pytest.mark.parametrize(
    ("error", "targets"),
    [
        (KeyboardInterrupt(), torch.arange(3)),
        (KeyError("image"), torch.arange(3)),
        (ValueError("not mixed"), None),
        (ValueError("soft already"), torch.eye(3)),
    ],
)
def test_other_errors_are_left_alone(
    error: BaseException, targets: Tensor | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        add_soft_target_hint(error, targets)
    assert _hints(error, caplog) == ""
