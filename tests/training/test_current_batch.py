"""Hooks that get the first mixed batch. Code there that treats its targets as integers is an error too."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from lightning_comixup import CoMixup, SoftTargetAccuracy
from tests.tiny import CLASSES, Plain, fit, make_loader


class Ending(Plain):
    """Uses the outputs and the batch again at the end of a batch."""

    def __init__(self, use: Any) -> None:
        super().__init__()
        self.use = use
        self.accuracy, self.soft = MulticlassAccuracy(CLASSES, average="micro"), SoftTargetAccuracy()

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        logits = self(batch[0])
        return {"loss": F.cross_entropy(logits, batch[1]), "logits": logits.detach(), "targets": batch[1]}

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.use(self, outputs["logits"], outputs["targets"], batch[1])


def _metric_of_outputs(module: Ending, logits: Tensor, targets: Tensor, others: Tensor) -> None:
    module.accuracy.update(logits, targets)


def _metric_of_the_batch(module: Ending, logits: Tensor, targets: Tensor, others: Tensor) -> None:
    module.accuracy.update(logits.argmax(1), others)


def _compared(module: Ending, logits: Tensor, targets: Tensor, others: Tensor) -> None:
    (logits.argmax(1) == targets).sum()


@pytest.mark.parametrize("use", [_metric_of_outputs, _metric_of_the_batch, _compared])
def test_a_misuse_in_a_hook_of_the_first_batch_is_an_error(use: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"), pytest.raises(ValueError) as raised:
        fit(Ending(use), CoMixup(seed=0))
    logged = [record.getMessage() for record in caplog.records]  # before Python 3.11, notes are logged
    text = "\n".join([str(raised.value), *getattr(raised.value, "__notes__", logged)])
    assert "class probabilities (B, K)" in text
    assert "test_current_batch.py:" in text


def test_a_misuse_in_a_callback_is_an_error() -> None:
    class Measuring(pl.Callback):
        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            assert bool((batch[1] == 1).any())

    with pytest.raises(ValueError, match=r"must not be compared .*test_current_batch\.py:\d+"):
        fit(Plain(), CoMixup(seed=0), Measuring())


def _right(module: Ending, logits: Tensor, targets: Tensor, others: Tensor) -> None:
    module.soft.update(logits, targets)
    hard = targets if targets.ndim == 1 else targets.argmax(1)
    assert 0 <= int((logits.argmax(1) == hard).sum()) <= len(hard)


class Validated(Ending):
    def validation_step(self, batch: Any, batch_idx: int) -> None:
        assert int((batch[1] == 1).sum()) >= 0
        assert not torch.overrides._get_current_function_mode_stack()


def test_right_uses_and_validation_are_not_watched() -> None:
    module = Validated(_right)
    trainer = pl.Trainer(
        max_epochs=2,
        callbacks=[CoMixup(seed=0)],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        val_check_interval=1,
        num_sanity_val_steps=0,
    )
    trainer.fit(module, make_loader(), make_loader())
    assert int(module.soft.samples) == 100
    assert not torch.overrides._get_current_function_mode_stack()


def test_no_watch_is_left_after_an_error() -> None:
    def failing(*_: Any) -> None:
        raise KeyError("user code")

    with pytest.raises(KeyError):
        fit(Ending(failing), CoMixup(seed=0))
    assert not torch.overrides._get_current_function_mode_stack()
