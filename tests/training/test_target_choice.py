"""Batches whose second part is not the targets: the losses of the step show which one is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lightning_comixup import CoMixup
from tests.tiny import CLASSES, Plain, fit, make_data

_X, _Y = make_data(20)
_SECOND = {
    "another column of numbers": torch.rand(20),
    "a table": torch.rand(20, 5),
    "a domain": torch.arange(20) % 3,
    "logits of a teacher": torch.rand(20, CLASSES),
}


class Third(Plain):
    """Takes the third part for its labels, and the second into account."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.targets_seen.append(batch[2])
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[2])
        if batch[1].shape == logits.shape:
            return loss + F.kl_div(logits.log_softmax(1), batch[1].softmax(1), reduction="batchmean")
        return loss + 0 * batch[1].float().mean()


@pytest.mark.parametrize("second", _SECOND.values(), ids=_SECOND)
def test_labels_elsewhere_are_named_by_the_error_and_its_remedy_trains(second: Tensor) -> None:
    loader: DataLoader[Any] = DataLoader(TensorDataset(_X, second, _Y), batch_size=10)
    with pytest.raises(ValueError, match=r"target_key must name .* Pass CoMixup\(target_key=2\)"):
        fit(Third(), CoMixup(seed=0), loader=loader)
    module = Third()
    fit(module, CoMixup(seed=0, target_key=2), loader=loader, max_epochs=1)
    assert {targets.ndim for targets in module.targets_seen} == {1, 2}


def test_a_part_that_no_loss_takes_does_not_matter() -> None:
    class Second(Plain):
        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            return (F.cross_entropy(self(batch[0]), batch[1], reduction="none") * batch[2]).mean()

    fit(Second(), loader=DataLoader(TensorDataset(_X, _Y, torch.rand(20)), batch_size=10))


def test_several_views_are_not_targets() -> None:
    loader: DataLoader[Any] = DataLoader(TensorDataset(_X, _X + 1, _X - 1), batch_size=10)
    with pytest.raises(ValueError, match="must be given"):
        fit(Plain(), loader=loader)
