"""Cases that `test_functional` does not cover: the deferred check, integers of few bits, and `one_hot_targets`."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from lightning_comixup import SoftTargetAccuracy, comixup_batch, compute_saliency
from lightning_comixup.soft_targets.losses import clean_loss, soft_target_loss
from lightning_comixup.soft_targets.targets import flatten_labels, one_hot_targets, target_rows


@pytest.mark.parametrize(
    ("targets", "passed"),
    [
        (torch.tensor([0, 3]), True),
        (torch.tensor([0, 4]), False),
        (torch.tensor([-1, 3]), False),
        (torch.tensor([[0.25] * 4, [0.2525] * 4]), True),
        (torch.tensor([[0.25] * 4, [0.26] * 4]), False),
        (torch.tensor([[0.25] * 4, [torch.nan] * 4]), False),
    ],
)
def test_the_check_needs_only_a_few_numbers_from_the_device(targets: Tensor, passed: bool) -> None:
    rows, check = target_rows(targets, 4)
    assert rows.shape == (2, 4)
    assert check is not None
    with nullcontext() if passed else pytest.raises(ValueError, match="found"):
        check.check(*(number.numpy() for number in check.numbers))


def test_more_classes_than_the_targets_own_type_can_count() -> None:
    rows, check = target_rows(torch.tensor([0, 255], dtype=torch.uint8), 300)
    assert check is not None
    check.check(*(number.numpy() for number in check.numbers))
    assert rows.argmax(1).tolist() == [0, 255]


def test_one_hot_rows() -> None:
    assert one_hot_targets(torch.tensor([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert one_hot_targets(torch.tensor([7]), 3).tolist() == [[0, 0, 0]]


def test_a_column_of_labels_is_flattened_and_anything_else_stays() -> None:
    column = torch.tensor([[1], [2]])
    assert flatten_labels(column).tolist() == [1, 2]
    for targets in (
        torch.tensor([1, 2]),
        torch.rand(2, 1),
        torch.ones(2, 2).long(),
        torch.ones(2, 1).long().to_sparse(),
    ):
        assert flatten_labels(targets) is targets


def test_every_function_accepts_a_column_of_labels() -> None:
    inputs, labels, logits = torch.rand(10, 1, 8, 8), torch.arange(10) % 3, torch.rand(10, 3)
    column, module = labels.unsqueeze(1), nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    kinds: tuple[Literal["ce", "bce"], ...] = ("ce", "bce")
    for kind in kinds:
        assert soft_target_loss(logits, column, kind) == soft_target_loss(logits, labels, kind)
        assert clean_loss(logits, column, kind) == clean_loss(logits, labels, kind)
    assert SoftTargetAccuracy()(logits, column) == SoftTargetAccuracy()(logits, labels)
    saliency = compute_saliency(module, inputs, column)
    assert torch.equal(saliency, compute_saliency(module, inputs, labels))
    mixed, expected = (
        comixup_batch(inputs, targets, saliency, num_classes=3, generator=0) for targets in (column, labels)
    )
    assert torch.equal(mixed.targets, expected.targets)


def test_a_column_of_labels_needs_the_number_of_classes() -> None:
    with pytest.raises(ValueError, match=r"num_classes must be given for integer targets.*mixes its batch itself"):
        comixup_batch(torch.rand(10, 1, 8, 8), torch.ones(10, 1).long(), torch.rand(10, 8, 8))
