from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_comixup import CoMixup
from tests.tiny import CLASSES, Tiny, fit, largest_difference


class Embedded(Tiny):
    """Embeddings with a margin loss, which needs the classes and has no logits without them."""

    def __init__(self) -> None:
        super().__init__()
        self.network[4] = nn.Linear(256, 3)
        with torch.random.fork_rng():
            torch.manual_seed(2)
            self.centres = nn.Parameter(torch.randn(CLASSES, 3))
            nn.init.normal_(self.network[4].weight, std=0.1)

    def margin_loss(self, embeddings: Tensor, targets: Tensor) -> Tensor:
        cosines = F.normalize(embeddings) @ F.normalize(self.centres).t()
        return F.cross_entropy(8 * (cosines - 0.2 * F.one_hot(targets, CLASSES)), targets, reduction="none")

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        inputs, targets = batch
        self.seen.append((inputs.detach().clone(), targets.detach().clone()))
        return self.comixup_loss(self(inputs), targets, loss_fn=self.margin_loss)


@pytest.mark.parametrize("settings", [{}, {"clean_weight": 0}])
def test_a_loss_for_integers_trains_on_mixed_batches(settings: dict[str, Any]) -> None:
    module = Embedded()
    fit(module, CoMixup(seed=0, num_classes=CLASSES, **settings), max_epochs=1)
    assert any(targets.ndim == 2 and ((targets > 0).sum(1) > 1).any() for _, targets in module.seen)
    assert largest_difference(module, Embedded()) > 0


def test_the_number_of_classes_of_such_a_loss_is_found() -> None:
    module = Embedded()
    fit(module, CoMixup(seed=0), max_epochs=1)
    assert {targets.shape[1] for _, targets in module.seen if targets.ndim == 2} == {CLASSES}


def test_a_step_that_ignores_samples_trains_on_mixed_batches() -> None:
    class Ignoring(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return self.comixup_loss(self(batch[0]), batch[1], ignore_index=-100)

    plain, ignoring = Tiny(), Ignoring()
    fit(plain)
    fit(ignoring)
    assert largest_difference(plain, ignoring) < 1e-5
