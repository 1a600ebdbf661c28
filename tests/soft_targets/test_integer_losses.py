from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_comixup import CoMixupMixin
from lightning_comixup.soft_targets.losses import soft_target_loss


class Margin(nn.Module):
    """A head with an angular margin, which returns n losses for embeddings (n, D) and n integers."""

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        draws = torch.Generator().manual_seed(5)
        self.centres = nn.Parameter(torch.randn(7, 3, generator=draws, dtype=dtype))
        self.calls: list[int] = []

    def forward(self, embeddings: Tensor, targets: Tensor) -> Tensor:
        self.calls.append(len(targets))
        cosines = F.normalize(embeddings) @ F.normalize(self.centres).t()
        cosines = cosines - 0.3 * F.one_hot(targets, 7).to(cosines)
        return F.cross_entropy(8 * cosines, targets, reduction="none")


def _case() -> tuple[Tensor, Tensor]:
    """Return embeddings whose size differs from the number of classes, and rows with up to three classes."""
    draws = torch.Generator().manual_seed(4)
    embeddings = torch.randn(5, 3, generator=draws, dtype=torch.float64, requires_grad=True)
    rows = torch.zeros(5, 7)
    for row, count in enumerate((1, 2, 3, 2, 1)):
        classes = torch.randperm(7, generator=draws)[:count]
        rows[row, classes] = torch.rand(count, generator=draws).softmax(0)
    return embeddings, rows


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_rows_have_the_mean_over_their_classes(reduction: str) -> None:
    """The loss and all gradients, including those of the loss's own parameters, equal a double loop."""
    (embeddings, rows), margin = _case(), Margin()
    by_hand = [
        sum(
            share * margin(embeddings[row : row + 1], torch.tensor([label]))[0]
            for label, share in enumerate(rows[row].double())
            if share > 0
        )
        for row in range(5)
    ]
    losses = torch.stack([loss for loss in by_hand if isinstance(loss, Tensor)])
    wanted = {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]
    margin.calls.clear()
    found = soft_target_loss(embeddings, rows, loss_fn=margin, reduction=reduction)  # type: ignore[arg-type]
    assert margin.calls == [9]
    torch.testing.assert_close(found, wanted)
    leaves = [embeddings, margin.centres]
    for gradient, other in zip(
        torch.autograd.grad(found.sum(), leaves), torch.autograd.grad(wanted.sum(), leaves), strict=True
    ):
        torch.testing.assert_close(gradient, other)


def test_integers_are_handed_on_as_they_are() -> None:
    (embeddings, _), margin = _case(), Margin()
    targets = torch.tensor([6, 0, 3, 3, 1], dtype=torch.uint8)
    found = soft_target_loss(embeddings, targets, loss_fn=margin, reduction="none")
    assert torch.equal(found, margin(embeddings, targets.long()))
    rows = F.one_hot(targets.long(), 7).float()
    assert torch.equal(soft_target_loss(embeddings, rows, loss_fn=margin), found.mean())


def test_the_loss_never_sees_ignored_samples() -> None:
    (embeddings, rows), margin = _case(), Margin()
    rows[[0, 2]] = 0
    soft_target_loss(embeddings, rows, loss_fn=margin, ignore_index=-1)
    soft_target_loss(embeddings, torch.tensor([-1, 2, 3, 4, 5]), loss_fn=margin, ignore_index=-1)
    soft_target_loss(embeddings, torch.full((5,), -1), loss_fn=margin, ignore_index=-1)
    soft_target_loss(embeddings, torch.zeros(5, 7), loss_fn=margin, ignore_index=-1)
    assert margin.calls == [5, 4]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_loss_in_half_precision_is_averaged_in_float32(dtype: torch.dtype) -> None:
    (embeddings, rows), margin = _case(), Margin()
    low = copy.deepcopy(margin).to(dtype)
    for half_rows in (rows, rows.to(dtype)):
        found = soft_target_loss(embeddings.to(dtype), half_rows, loss_fn=low)
        assert found.dtype == torch.float32
        wanted = soft_target_loss(embeddings, rows, loss_fn=margin)
        torch.testing.assert_close(found.double(), wanted, rtol=0.02, atol=0)


def test_shares_that_are_not_numbers_do_not_vanish() -> None:
    (embeddings, rows), margin = _case(), Margin()
    rows[1, 1] = torch.nan
    assert soft_target_loss(embeddings, rows, loss_fn=margin).isnan()


def test_it_overrides_the_kind_of_the_class() -> None:
    class Head(CoMixupMixin):
        comixup_loss_kind = "bce"

    (embeddings, rows), margin = _case(), Margin()
    assert torch.equal(
        Head().comixup_loss(embeddings, rows, loss_fn=margin), soft_target_loss(embeddings, rows, loss_fn=margin)
    )
