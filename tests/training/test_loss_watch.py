"""A step's uses of the targets show whether these are classes, and how many, or numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_comixup.training.loss_watch import LossWatch
from lightning_comixup.training.target_kind import TargetKind, find_target_kind
from tests.tiny import CLASSES

_SIZE = 8
_LABELS = torch.tensor([0, 3, 1, 4, 2, 2, 0, 1])
_FLAGS = (_LABELS > 2).long()
_ROWS = F.one_hot(_LABELS, CLASSES).float()
_SEVERAL = (torch.arange(_SIZE * CLASSES).view(_SIZE, CLASSES) % 3 == 0).float()
_CLASSES, _NUMBERS = TargetKind(False, CLASSES), TargetKind(True, None)
_BINARY_ROWS = TargetKind(False, CLASSES, binary_rows=True)
Loss = Callable[[Tensor, Tensor], Any]


class _ByHand(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        return -logits.log_softmax(1)[range(len(logits)), targets].mean()


_by_hand: Any = _ByHand.apply


def _of_a_script(logits: Tensor, targets: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits, targets)


def _scripted(logits: Tensor, targets: Tensor) -> Tensor:
    return torch.jit.script(_of_a_script)(logits, targets)


def _focal(z: Tensor, y: Tensor) -> Tensor:
    losses = F.cross_entropy(z, y, reduction="none")
    return ((1 - torch.exp(-losses)) ** 2 * losses).mean()


def _log(z: Tensor) -> Tensor:
    return z[:, 0].sigmoid().log()


# The loss of a step, its targets, and their kind.
_CASES: dict[str, tuple[Loss, Tensor, TargetKind]] = {
    "cross_entropy": (F.cross_entropy, _LABELS, _CLASSES),
    "cross_entropy by names": (lambda z, y: F.cross_entropy(input=z, target=y), _LABELS, _CLASSES),
    "an object": (nn.CrossEntropyLoss(label_smoothing=0.1), _LABELS, _CLASSES),
    "labels (B, 1)": (lambda z, y: F.cross_entropy(z, y.squeeze(1)), _LABELS[:, None], _CLASSES),
    "labels of another type": (lambda z, y: F.cross_entropy(z, y.long()), _LABELS.int(), _CLASSES),
    "labels from one": (lambda z, y: F.cross_entropy(z, y - 1), _LABELS + 1, _CLASSES),
    "every pixel": (lambda z, y: F.cross_entropy(z[:, :, None], y[:, None]), _LABELS, _CLASSES),
    "nll_loss": (lambda z, y: F.nll_loss(z.log_softmax(1), y), _LABELS, _CLASSES),
    "a margin": (F.multi_margin_loss, _LABELS, _CLASSES),
    "focal": (_focal, _LABELS, _CLASSES),
    "gather": (lambda z, y: z.gather(1, y[:, None]), _LABELS, _CLASSES),
    "an index": (lambda z, y: z.log_softmax(1)[range(_SIZE), y], _LABELS, _CLASSES),
    "one_hot": (lambda z, y: (z.log_softmax(1) * F.one_hot(y, CLASSES)).sum(), _LABELS, _CLASSES),
    "autograd.Function": (_by_hand, _LABELS, _CLASSES),
    "two heads": (lambda z, y: F.cross_entropy(z, y) + F.cross_entropy(-z, y), _LABELS, _CLASSES),
    "contrastive beside": (
        lambda z, y: (
            F.cross_entropy(z, y) + F.binary_cross_entropy_with_logits(z @ z.T, (y[:, None] == y[None]).float())
        ),
        _LABELS,
        _CLASSES,
    ),
    "one class against the rest beside": (
        lambda z, y: F.cross_entropy(z, y) + F.binary_cross_entropy_with_logits(z[:, 0], (y == 0).float()),
        _LABELS,
        _CLASSES,
    ),
    "rows in cross_entropy": (F.cross_entropy, _ROWS, TargetKind(False, CLASSES)),
    "binary of one_hot": (
        lambda z, y: F.binary_cross_entropy_with_logits(z, F.one_hot(y, CLASSES).float()),
        _LABELS,
        _BINARY_ROWS,
    ),
    "binary of scattered rows": (
        lambda z, y: F.binary_cross_entropy_with_logits(z, torch.zeros_like(z).scatter_(1, y[:, None], 0.9)),
        _LABELS,
        _BINARY_ROWS._replace(smoothed_rows=True),
    ),
    "binary of one_hot smoothed": (
        lambda z, y: F.binary_cross_entropy_with_logits(z, 0.8 * F.one_hot(y, CLASSES) + 0.2 / CLASSES),
        _LABELS,
        _BINARY_ROWS._replace(smoothed_rows=True),
    ),
    "squares of one_hot": (lambda z, y: F.mse_loss(z, F.one_hot(y, CLASSES).float()), _LABELS, _CLASSES),
    "rows in a binary loss": (F.binary_cross_entropy_with_logits, _ROWS, _NUMBERS),
    "several labels": (F.binary_cross_entropy_with_logits, _SEVERAL, _NUMBERS),
    "several integer labels": (
        lambda z, y: F.binary_cross_entropy_with_logits(z, y.float()),
        _SEVERAL.long(),
        _NUMBERS,
    ),
    "several labels by margin": (F.multilabel_soft_margin_loss, _SEVERAL, _NUMBERS),
    "rows in kl_div": (lambda z, y: F.kl_div(z.log_softmax(1), y, reduction="batchmean"), _ROWS, _NUMBERS),
    "one logit": (lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], y.float()), _FLAGS, _NUMBERS),
    "one logit in a column": (
        lambda z, y: F.binary_cross_entropy_with_logits(z[:, :1], y.unsqueeze(1).to(z.dtype)),
        _FLAGS,
        _NUMBERS,
    ),
    "one logit of every patch": (
        lambda z, y: F.binary_cross_entropy_with_logits(z, y.float()[:, None].expand_as(z)),
        _FLAGS,
        _NUMBERS,
    ),
    "one probability": (lambda z, y: nn.BCELoss()(z[:, 0].sigmoid(), y.float()), _FLAGS, _NUMBERS),
    "one probability by hand": (lambda z, y: -(y * _log(z) + (1 - y) * _log(-z)).mean(), _FLAGS, _NUMBERS),
    "mse_loss": (lambda z, y: F.mse_loss(z[:, 0], y), _LABELS.float(), _NUMBERS),
    "mse_loss of integers": (lambda z, y: F.mse_loss(z[:, 0], y.float()), _LABELS, _NUMBERS),
    "squares by hand": (lambda z, y: ((z[:, 0] - y) ** 2).mean(), _LABELS, _NUMBERS),
    "l1_loss": (lambda z, y: F.l1_loss(z[:, 0], y), _LABELS.float(), _NUMBERS),
    "huber_loss": (lambda z, y: F.huber_loss(z, y[:, None].repeat(1, CLASSES)), _LABELS.float(), _NUMBERS),
    "smooth_l1_loss": (lambda z, y: F.smooth_l1_loss(z[:, 0], y), _LABELS.float(), _NUMBERS),
    # The watch sees nothing, so the dtype and the module's output decide.
    "a script": (_scripted, _LABELS, TargetKind(False, None)),
    "a mask of pairs": (lambda z, y: (z @ z.T)[y[:, None] == y[None, :]], _LABELS, TargetKind(False, None)),
    "contrastive alone": (lambda z, y: (z @ z.T) * (y[:, None] == y[None, :]), _LABELS, TargetKind(False, None)),
}


def _watch(loss: Loss, targets: Tensor) -> LossWatch:
    logits = torch.randn(_SIZE, CLASSES, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with LossWatch(targets) as watch:
        loss(logits, targets)
    return watch


@pytest.mark.parametrize("name", _CASES)
def test_a_step_shows_the_kind_of_targets(name: str) -> None:
    loss, targets, expected = _CASES[name]
    assert find_target_kind(targets, _watch(loss, targets).calls, None, None)._replace(ignored=None) == expected


@pytest.mark.parametrize("name", ["cross_entropy", "mse_loss", "focal", "gather"])
def test_a_loss_in_a_submodule_and_in_a_compiled_one(name: str) -> None:
    loss, targets, expected = _CASES[name]

    class Part(nn.Module):
        def forward(self, logits: Tensor, targets: Tensor) -> Any:
            return loss(logits, targets)

    assert find_target_kind(targets, _watch(Part(), targets).calls, None, None)._replace(ignored=None) == expected
    if hasattr(torch.compiler, "set_stance"):
        compiled: Any = torch.compile(Part(), backend="aot_eager")
        with torch.compiler.set_stance("force_eager"):
            assert (
                find_target_kind(targets, _watch(compiled, targets).calls, None, None)._replace(ignored=None)
                == expected
            )


def test_which_losses_differ_from_the_plain_cross_entropy() -> None:
    plain: list[Loss] = [F.cross_entropy, nn.CrossEntropyLoss()]
    adjusted: list[Loss] = [
        nn.CrossEntropyLoss(torch.ones(CLASSES)),
        nn.CrossEntropyLoss(label_smoothing=0.1),
        nn.CrossEntropyLoss(reduction="sum"),
        F.multi_margin_loss,
        _CASES["mse_loss of integers"][0],
    ]
    assert [_watch(loss, _LABELS).calls[0].adjusted for loss in plain] == [False] * len(plain)
    assert [_watch(loss, _LABELS).calls[0].adjusted for loss in adjusted] == [True] * len(adjusted)
