"""Activation checkpointing: non-reentrant works directly, and re-entrant works with the fallback."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lightning_comixup import CoMixup
from lightning_comixup.training.trainer_checks import check_clean_gradient
from tests.tiny import CLASSES, Tiny, fit, is_clean_pass, largest_difference, make_trainer, replay


class Checkpointed(nn.Module):
    def __init__(self, use_reentrant: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Tanh())
        self.head = nn.Linear(32, CLASSES)
        self.use_reentrant = use_reentrant

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(checkpoint(self.body, inputs, use_reentrant=self.use_reentrant))
        return logits


class Module(Tiny):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        inputs, targets = batch
        if not is_clean_pass(self):
            self.seen.append((inputs.clone(), targets.clone()))
        # Re-entrant checkpointing needs an input that requires a gradient.
        return self.comixup_loss(self(inputs.requires_grad_()), targets)


@pytest.mark.parametrize(("use_reentrant", "how"), [(False, "grad"), (False, "backward"), (True, "backward")])
@pytest.mark.parametrize("clean_weight", [1.0, 0.0])
def test_the_step_matches_the_loop(use_reentrant: bool, how: Any, clean_weight: float) -> None:
    module = Module(Checkpointed(use_reentrant))
    start = copy.deepcopy(module)
    fit(module, CoMixup(seed=0, clean_gradient=how, clean_weight=clean_weight))
    start.network.use_reentrant = False
    assert largest_difference(module, replay(start, module.seen, clean_weight=clean_weight)) == 0


def test_the_fallback_keeps_what_was_accumulated() -> None:
    states = []
    for how in ("grad", "backward"):
        module = Module(
            Checkpointed(False),
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for parameter in module.parameters():
                nn.init.normal_(parameter, std=0.1)
        fit(module, CoMixup(seed=0, clean_gradient=how), accumulate_grad_batches=2)
        states.append(module)
    assert largest_difference(*states) == 0


def test_the_error_with_re_entrant_checkpointing_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match=r'must be non-reentrant.*CoMixup\(clean_gradient="backward"\)'):
        fit(Module(Checkpointed(True)))


def test_the_fallback_is_refused_with_a_static_graph() -> None:
    class OwnBackward(Tiny):
        def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
            loss.backward()

    trainer = make_trainer()
    trainer._accelerator_connector.strategy = DDPStrategy(static_graph=True)
    for module, callback in ((Tiny(), CoMixup(clean_gradient="backward")), (OwnBackward(), CoMixup())):
        with pytest.raises(ValueError, match="must not come from a backward with static_graph=True"):
            check_clean_gradient(trainer, module, callback._config)
    check_clean_gradient(trainer, Tiny(), CoMixup()._config)
    check_clean_gradient(trainer, OwnBackward(), CoMixup(clean_weight=0)._config)
