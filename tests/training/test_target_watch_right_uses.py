"""Correct uses of mixed targets. The watch accepts them, and they do not change the training."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_comixup import CoMixup
from tests.tiny import CLASSES, fit
from tests.training.planted import Use
from tests.training.using import Using, make_batches


def _accuracy_of_rows_only(logits: Tensor, targets: Tensor) -> Any:
    hard = targets if targets.ndim == 1 else targets.argmax(1)
    F.one_hot(hard, CLASSES), torch.bincount(hard), hard.numpy(), hard.tolist(), hard.int(), int(hard[0])
    logits.gather(1, hard[:, None]), logits[range(len(hard)), hard], F.nll_loss(logits.log_softmax(1), hard)
    return (logits.argmax(1) == hard).float().mean(), (logits.topk(3, 1).indices == hard[:, None]).any(1), hard - 1


def _rows(targets: Tensor) -> Tensor:
    return targets if targets.ndim == 2 else F.one_hot(targets, CLASSES).float()


def _largest(logits: Tensor, targets: Tensor) -> Any:
    rows = _rows(targets)
    hard = rows.max(dim=1).indices
    return logits[range(len(hard)), hard], rows.topk(2, 1), rows.sort(1), (logits.argmax(1) == hard).sum()


def _losses(logits: Tensor, targets: Tensor) -> Any:
    rows, log_probabilities = _rows(targets), logits.log_softmax(1)
    losses = F.cross_entropy(logits, targets, reduction="none")
    teacher = logits.detach().softmax(1)
    return (
        nn.CrossEntropyLoss(label_smoothing=0.1)(logits, targets),
        F.cross_entropy(logits, 0.9 * rows + 0.1 / CLASSES),
        F.kl_div(log_probabilities, teacher, reduction="batchmean"),
        F.kl_div(log_probabilities, 0.5 * teacher + 0.5 * rows, reduction="batchmean"),
        F.mse_loss(logits.softmax(1), rows),
        F.binary_cross_entropy_with_logits(logits[:, 0], 1 - rows[:, 0]),
        -(rows * log_probabilities).sum(1).mean() + torch.einsum("bk,bk->", rows, logits),
        ((1 - torch.exp(-losses)) ** 2 * losses * (rows @ torch.arange(1.0, CLASSES + 1))).mean(),
    )


def _parts_of_the_batch(logits: Tensor, targets: Tensor) -> Any:
    order, chosen = torch.randperm(len(targets)), torch.rand(len(targets)) > 0.3
    twice = F.cross_entropy(torch.cat([logits, logits]), torch.cat([targets, targets]))
    pairs = zip(logits.split(4), targets.split(4), strict=True)
    mixed = 0.7 * _rows(targets) + 0.3 * _rows(targets)[order]
    return (
        twice,
        [F.cross_entropy(*pair) for pair in pairs],
        F.cross_entropy(logits[chosen], targets[chosen]),
        F.cross_entropy(logits, targets[order]),
        F.cross_entropy(logits, mixed),
        F.cross_entropy(logits, torch.lerp(_rows(targets), _rows(targets).flip(0), 0.2)),
    )


def _looked_at(logits: Tensor, targets: Tensor) -> Any:
    assert targets.min() >= 0
    assert (targets < CLASSES).all()
    assert torch.isfinite(targets).all()
    assert targets.size(0) == len(targets) == targets.shape[0]
    text = f"{targets} {targets[0]} {targets!r} {targets.dtype} {targets.device} {targets.sum().item()}"
    return text, targets.detach().cpu().clone(), float(targets.float().mean()), targets.sum(), torch.zeros_like(targets)


def _thresholds(logits: Tensor, targets: Tensor) -> Any:
    high = _rows(targets) > 0.5
    same = (logits.sigmoid() > 0.5) == high
    return same.float().mean(), logits[high], torch.where(high, logits - 0.2, logits), (_rows(targets) > 0.0).sum(1)


_RIGHT: list[Use] = [_accuracy_of_rows_only, _largest, _losses, _parts_of_the_batch, _looked_at, _thresholds]


def _trained(module: Using, batch_size: int) -> list[Tensor]:
    fit(module, CoMixup(seed=0), loader=make_batches(batch_size), max_epochs=1)
    return [parameter.detach() for parameter in module.parameters()]


@cache
def _untouched(batch_size: int) -> list[Tensor]:
    """Return the trained parameters of a module that uses the targets only in its loss."""
    return _trained(Using(lambda logits, targets: None), batch_size)


@pytest.mark.parametrize("batch_size", [10, CLASSES])
@pytest.mark.parametrize("use", _RIGHT)
def test_correct_uses_of_targets_raise_no_error_and_change_nothing(use: Use, batch_size: int) -> None:
    for parameter, expected in zip(_trained(Using(use), batch_size), _untouched(batch_size), strict=True):
        assert torch.equal(parameter, expected)


class Measuring(Using):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        inputs, targets = batch
        logits = self(inputs)
        rows = _rows(targets).detach()
        self.bank = torch.cat([getattr(self, "bank", rows[:0]), rows])
        self.soft_accuracy(logits, targets)
        self.accuracy(logits, targets.int())
        self.log_dict({"soft": self.soft_accuracy, "hard": self.accuracy, "mean": targets.float().mean()})
        weighted = self.comixup_loss(logits, targets, class_weights=torch.ones(CLASSES), label_smoothing=0.1)
        return self.comixup_loss(logits, targets, "bce") + self.comixup_loss(logits, targets, "ce") + weighted


def test_metrics_memory_banks_and_our_own_losses() -> None:
    module = Measuring(lambda logits, targets: None)
    trainer = fit(module, CoMixup(seed=0), loader=make_batches(10), max_epochs=1)
    assert 0 < float(trainer.callback_metrics["soft"]) < 1
    assert float(trainer.callback_metrics["mean"]) == pytest.approx(1 / CLASSES)
    assert module.bank.shape == (40, CLASSES)  # from two batches, each clean and mixed
    torch.testing.assert_close(module.bank.sum(1), torch.ones(40))


class Binary(Using):
    """Has a sigmoid for each class, as in timm's training. Its rows follow the remedy in this package's message."""

    def __init__(self, rows: Callable[[Tensor], Tensor]) -> None:
        super().__init__(lambda logits, targets: None)
        self.rows = rows

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.rows_seen = self.rows(batch[1])
        return F.binary_cross_entropy_with_logits(self(batch[0]), self.rows_seen)


def _scattered_rows(targets: Tensor) -> Tensor:
    if targets.ndim == 2:
        return targets
    return torch.full((len(targets), CLASSES), 0.02).scatter_(1, targets[:, None], 0.92)


def _filled_rows(targets: Tensor) -> Tensor:
    return targets if targets.ndim == 2 else torch.zeros(len(targets), CLASSES).scatter(1, targets[:, None], 1.0)


def _rows_of_a_matrix(targets: Tensor) -> Tensor:
    return targets if targets.ndim == 2 else torch.eye(CLASSES)[targets]


@pytest.mark.parametrize("rows", [_rows, _scattered_rows, _filled_rows, _rows_of_a_matrix])
def test_a_binary_loss_for_one_hot_rows_accepts_mixed_ones(rows: Any) -> None:
    module = Binary(rows)
    fit(module, CoMixup(seed=0), loader=make_batches(10), max_epochs=1)
    torch.testing.assert_close(module.rows_seen.sum(1), torch.ones(10))
    assert ((module.rows_seen > 0).sum(1) > 1).any()


@pytest.mark.parametrize("rows", [_rows, _scattered_rows, _filled_rows])
def test_a_binary_loss_may_use_thresholded_rows(rows: Any) -> None:
    module = Binary(lambda targets: (rows(targets) > 0.2).float())
    fit(module, CoMixup(seed=0), loader=make_batches(10), max_epochs=1)
    assert module.rows_seen.unique().tolist() == [0, 1]
