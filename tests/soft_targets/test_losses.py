from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lightning_comixup.soft_targets.losses import clean_loss, soft_target_loss, without_autocast


def _case() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, generator=draws, requires_grad=True)
    return logits, torch.randint(0, 4, (6,), generator=draws), torch.softmax(torch.randn(6, 4, generator=draws), 1)


def test_bce_is_the_authors() -> None:
    logits, _, soft = _case()
    p = logits.softmax(1)
    by_hand = -(soft * p.log() + (1 - soft) * (1 - p).log()).mean()
    torch.testing.assert_close(soft_target_loss(logits, soft, "bce"), by_hand)
    assert torch.equal(soft_target_loss(logits, soft, "bce"), nn.BCELoss()(logits.softmax(1), soft))


def test_ce_is_the_soft_cross_entropy() -> None:
    logits, _, soft = _case()
    torch.testing.assert_close(soft_target_loss(logits, soft, "ce"), -(soft * logits.log_softmax(1)).sum(1).mean())


@pytest.mark.parametrize("kind", ["ce", "bce"])
def test_integer_targets_are_one_hot_targets(kind: str) -> None:
    logits, integers, _ = _case()
    one_hot = F.one_hot(integers, 4).float()
    found = soft_target_loss(logits, integers, kind)  # type: ignore[arg-type]
    torch.testing.assert_close(found, soft_target_loss(logits, one_hot, kind))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["ce", "bce"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_logits_of_any_precision(kind: str, dtype: torch.dtype) -> None:
    logits, _, soft = _case()
    loss = soft_target_loss(logits.to(dtype), soft, kind)  # type: ignore[arg-type]
    assert loss.dtype == torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(loss.float(), soft_target_loss(logits, soft, kind), rtol=0.02, atol=0)  # type: ignore[arg-type]
    with torch.autocast("cpu", torch.bfloat16):
        assert soft_target_loss(logits.to(dtype), soft, kind).isfinite()  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["ce", "bce"])
def test_smoothing_weights_and_reductions(kind: str) -> None:
    logits, integers, soft = _case()
    weights = torch.tensor([0.5, 1.0, 2.0, 4.0])
    smoothed = soft * 0.9 + 0.1 / 4
    found = soft_target_loss(logits, soft, kind, label_smoothing=0.1, class_weights=weights, reduction="none")  # type: ignore[arg-type]
    p = logits.softmax(1)
    terms = smoothed * p.log() if kind == "ce" else smoothed * p.log() + (1 - smoothed) * (1 - p).log()
    by_hand = -(weights * terms).sum(1) if kind == "ce" else -(weights * terms).mean(1)
    torch.testing.assert_close(found, by_hand)
    total = soft_target_loss(logits, soft, kind, label_smoothing=0.1, class_weights=weights, reduction="sum")  # type: ignore[arg-type]
    torch.testing.assert_close(total, by_hand.sum())
    mean = soft_target_loss(logits, soft, kind, label_smoothing=0.1, class_weights=weights)  # type: ignore[arg-type]
    torch.testing.assert_close(mean, by_hand.mean())
    assert torch.equal(soft_target_loss(logits, integers.int(), kind), soft_target_loss(logits, integers, kind))  # type: ignore[arg-type]


def test_extreme_logits_have_finite_loss_and_gradient() -> None:
    logits = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
    soft_target_loss(logits, torch.tensor([[0.5, 0.5, 0.0]]), "bce").backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_clean_loss_of_bce_is_rebalanced() -> None:
    logits, integers, _ = _case()
    assert torch.equal(clean_loss(logits, integers, "ce"), F.cross_entropy(logits, integers))
    assert torch.equal(clean_loss(logits, integers, "bce"), F.cross_entropy(logits, integers) * 2 / 4)


def test_autocast_is_off_meanwhile() -> None:
    factor = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        with without_autocast(factor.device):
            assert (factor @ factor).dtype == torch.float32
        assert (factor @ factor).dtype == torch.bfloat16


def test_a_device_that_knows_no_autocast_needs_nothing() -> None:
    with without_autocast(torch.device("meta")):
        pass
