from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
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
    torch.testing.assert_close(mean, by_hand.sum() / (weights * soft).sum() if kind == "ce" else by_hand.mean())
    assert torch.equal(soft_target_loss(logits, integers.int(), kind), soft_target_loss(logits, integers, kind))  # type: ignore[arg-type]


def test_class_weights_mean_the_same_for_integers_and_one_hot_rows() -> None:
    """PyTorch divides the loss for rows by their number, but the loss for integers by their weights."""
    logits, integers, _ = _case()
    rows, weights = F.one_hot(integers, 4).float(), torch.tensor([1.0, 10.0, 0.5, 3.0])
    found = soft_target_loss(logits, integers, "ce", class_weights=weights)
    assert torch.equal(found, F.cross_entropy(logits, integers, weights))
    torch.testing.assert_close(soft_target_loss(logits, rows, "ce", class_weights=weights), found)
    assert not torch.isclose(F.cross_entropy(logits, rows, weights), found)
    smoothed = soft_target_loss(logits, rows, "ce", class_weights=weights, label_smoothing=0.3)
    torch.testing.assert_close(smoothed, F.cross_entropy(logits, integers, weights, label_smoothing=0.3))


def test_rows_of_classes_without_weight_have_no_loss() -> None:
    logits, integers, _ = _case()
    rows, weights = F.one_hot(integers, 4).float(), torch.zeros(4)
    assert soft_target_loss(logits, rows, "ce", class_weights=weights).item() == 0


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_without_class_weights_it_is_pytorchs_to_the_bit(smoothing: float) -> None:
    logits, integers, soft = _case()
    for targets in (integers, soft):
        for reduction in ("mean", "sum", "none"):
            found = soft_target_loss(logits, targets, label_smoothing=smoothing, reduction=reduction)
            assert torch.equal(found, F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction=reduction))


_FOCAL_SCALE = torch.tensor([1.0, 2.0, 3.0, 4.0])


def _focal(logits: Tensor, targets: Tensor) -> Tensor:
    log_p = logits.log_softmax(1).gather(1, targets.unsqueeze(1)).squeeze(1)
    return -_FOCAL_SCALE.to(logits)[targets] * (1 - log_p.exp()) ** 2 * log_p


_WAYS: dict[str, dict[str, Any]] = {
    "ce": {"kind": "ce"},
    "ce weighted, smoothed": {
        "kind": "ce",
        "label_smoothing": 0.2,
        "class_weights": torch.tensor([0.5, 1.0, 2.0, 4.0]),
    },
    "bce": {"kind": "bce"},
    "bce weighted, smoothed": {
        "kind": "bce",
        "label_smoothing": 0.2,
        "class_weights": torch.tensor([0.5, 1.0, 2.0, 4.0]),
    },
    "loss_fn": {"loss_fn": _focal},
}


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("index", [-100, 2, 255])
def test_ignored_samples_do_not_count(way: str, index: int) -> None:
    """For integers and for rows of zeros, loss and gradient are those of the other samples alone."""
    draws = torch.Generator().manual_seed(3)
    logits = torch.randn(6, 4, generator=draws, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([0, index, 3, 1, index, 3])
    counts = targets != index
    rows = F.one_hot(targets * counts, 4) * counts.unsqueeze(1)
    for reduction in ("mean", "sum"):
        wanted = soft_target_loss(logits[counts], targets[counts], reduction=reduction, **_WAYS[way])
        (gradient,) = torch.autograd.grad(wanted, [logits])
        for given in (targets, rows.double()):
            found = soft_target_loss(logits, given, ignore_index=index, reduction=reduction, **_WAYS[way])
            torch.testing.assert_close(found, wanted)
            torch.testing.assert_close(torch.autograd.grad(found, [logits])[0], gradient)
    for given in (targets, rows.double()):
        each = soft_target_loss(logits, given, ignore_index=index, reduction="none", **_WAYS[way])
        assert (each[~counts] == 0).all()
        torch.testing.assert_close(
            each[counts], soft_target_loss(logits[counts], targets[counts], reduction="none", **_WAYS[way])
        )


@pytest.mark.parametrize("way", _WAYS)
def test_a_sample_mixed_with_an_ignored_one_counts_by_its_share(way: str) -> None:
    """A sample that contains half of a class counts half, so two of these equal one whole sample."""
    logits = torch.tensor([[1.0, 2.0, -1.0, 0.5]]).repeat(3, 1)
    other = torch.tensor([[0.0, 0.0, 1.0, 0.0]])
    half, whole = torch.tensor([[0.0, 0.5, 0.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0, 0.0]])
    found = soft_target_loss(logits, torch.cat([half, half, other]), ignore_index=-100, **_WAYS[way])
    wanted = soft_target_loss(logits[:2], torch.cat([whole, other]), ignore_index=-100, **_WAYS[way])
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("way", _WAYS)
def test_the_loss_is_unchanged_if_nothing_is_ignored(way: str) -> None:
    logits, integers, soft = _case()
    for targets in (integers, soft):
        found = soft_target_loss(logits, targets, ignore_index=-100, **_WAYS[way])
        torch.testing.assert_close(found, soft_target_loss(logits, targets, **_WAYS[way]))


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_if_all_are_ignored_the_loss_is_zero_with_a_graph(way: str, reduction: str) -> None:
    logits, _, _ = _case()
    for targets in (torch.full((6,), -100), torch.zeros(6, 4)):
        loss = soft_target_loss(logits, targets, ignore_index=-100, reduction=reduction, **_WAYS[way])  # type: ignore[arg-type]
        assert loss.item() == 0
        (gradient,) = torch.autograd.grad(loss, [logits])
        assert (gradient == 0).all()


def test_extreme_logits_have_finite_loss_and_gradient() -> None:
    logits = torch.tensor([[200.0, -200.0, 0.0]], requires_grad=True)
    soft_target_loss(logits, torch.tensor([[0.5, 0.5, 0.0]]), "bce").backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_clean_loss_of_bce_is_rebalanced() -> None:
    logits, integers, _ = _case()
    assert torch.equal(clean_loss(logits, integers, "ce"), F.cross_entropy(logits, integers))
    assert torch.equal(clean_loss(logits, integers, "bce"), F.cross_entropy(logits, integers) * 2 / 4)


def test_autocast_is_off_inside_the_context() -> None:
    factor = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        with without_autocast(factor.device):
            assert (factor @ factor).dtype == torch.float32
        assert (factor @ factor).dtype == torch.bfloat16


def test_a_device_without_autocast_works() -> None:
    with without_autocast(torch.device("meta")):
        pass
