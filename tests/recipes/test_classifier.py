"""The module's loss, metrics and parameter groups."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from examples.recipes.classifier import Classifier, parameter_groups
from lightning_comixup import LossKind
from tests.tiny import make_trainer

_CLASSES = 7


def _sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1, weight_decay=0.5)


def _classifier(loss: LossKind = "ce", **settings: Any) -> Classifier:
    return Classifier(_CLASSES, lambda classes: nn.Identity(), _sgd, loss=loss, **settings)


def _ranked(*ranks: int) -> tuple[Tensor, Tensor]:
    """Return logits, and targets that have these ranks in them. Rank 0 is the highest."""
    logits = torch.arange(_CLASSES, 0, -1).float().repeat(len(ranks), 1)
    return logits, torch.tensor(ranks)


def test_accuracies_over_batches() -> None:
    logits, targets = _ranked(0, 0, 0, 0, 4, 5, 1, 6)  # the first four count in both top-1 and top-5
    loader = DataLoader(TensorDataset(logits, targets), batch_size=4)
    module = _classifier()
    trainer = make_trainer()
    (found,) = trainer.validate(module, loader, verbose=False)
    assert (found["val/top1"], found["val/top5"]) == (0.5, 0.75)
    (found,) = trainer.test(module, loader, verbose=False)
    assert (found["test/top1"], found["test/top5"]) == (0.5, 0.75)


def test_the_median_of_the_last_ten() -> None:
    module = _classifier()
    trainer = make_trainer()
    found = []
    for right in range(1, 13):  # out of twelve
        logits, targets = _ranked(*([0] * right + [1] * (12 - right)))
        found += trainer.validate(module, DataLoader(TensorDataset(logits, targets), batch_size=6), verbose=False)
    medians = [12 * metrics["val/top1_median_of_last_ten"] for metrics in found]
    assert medians == pytest.approx([1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6.5, 7.5])
    assert not module.last_top1.is_inference()
    module.load_state_dict(module.state_dict())


def test_loss_kinds() -> None:
    logits, targets = _ranked(0, 2)
    cross_entropy = nn.functional.cross_entropy(logits, targets)
    torch.testing.assert_close(_classifier("ce").comixup_clean_loss(logits, targets), cross_entropy)
    torch.testing.assert_close(_classifier("bce").comixup_clean_loss(logits, targets), 2 / _CLASSES * cross_entropy)


def test_weight_decay_leaves_norms_alone() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
    others, norms = parameter_groups(network)
    assert [tuple(parameter.shape) for parameter in others["params"]] == [(2, 1, 3, 3), (2,), (3, 2), (3,)]
    assert [tuple(parameter.shape) for parameter in norms["params"]] == [(2,), (2,), (3,), (3,)]
    module = Classifier(3, lambda classes: network, _sgd, decay_norms=False)
    optimizer: Any = module.configure_optimizers()
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5, 0.0]
    module = Classifier(3, lambda classes: network, _sgd)
    optimizer = module.configure_optimizers()
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5]


def test_the_schedule_is_stepped_by_epochs() -> None:
    logits, targets = _ranked(0, 1)
    rates = []

    class Noting(Classifier):
        def on_before_backward(self, loss: Tensor) -> None:
            rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])

    def halved(optimizer: torch.optim.Optimizer) -> Any:
        return torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)

    module = Noting(_CLASSES, lambda classes: nn.Linear(classes, classes), _sgd, halved)
    loader = DataLoader(TensorDataset(logits, targets), batch_size=1)
    make_trainer(max_epochs=2).fit(module, loader, loader)
    assert rates == [0.1, 0.1, 0.05, 0.05]
