"""The package `pytorch_lightning`, another name for Lightning, has its own classes."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_lightning
import torch
from torch import Tensor

from lightning_comixup import CoMixup, CoMixupMixin
from lightning_comixup.training.trainer_checks import check_strategy
from tests.tiny import Tiny, fit, largest_difference, make_loader, make_network


class Other(CoMixupMixin, pytorch_lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.network = make_network()

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(inputs)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.comixup_loss(self(batch[0]), batch[1])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def _make_trainer(*callbacks: Any, **settings: Any) -> Any:
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return pytorch_lightning.Trainer(
        callbacks=list(callbacks), max_epochs=2, accelerator="cpu", enable_model_summary=False, **quiet, **settings
    )


@pytest.mark.parametrize("settings", [{}, {"precision": "bf16-mixed", "accumulate_grad_batches": 2}])
def test_it_trains_as_under_lightning(settings: dict[str, Any]) -> None:
    other, module = Other(), Tiny()
    trainer = _make_trainer(CoMixup(seed=0), **settings)
    trainer.fit(other, make_loader())
    fit(module, CoMixup(seed=0), **settings)
    assert largest_difference(other, module) == 0
    assert "comixup/energy" in trainer.callback_metrics


def test_its_sharded_strategies_are_known() -> None:
    trainer = _make_trainer()
    trainer._accelerator_connector.strategy = pytorch_lightning.strategies.FSDPStrategy(accelerator=trainer.accelerator)
    with pytest.raises(ValueError, match=r"clean_weight must be 0 .* FSDPStrategy"):
        check_strategy(trainer, 1.0)
