"""What `test_functional` does not reach: the deferred check, integers of few bits, and rows by themselves."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor

from lightning_comixup.soft_targets.targets import one_hot_targets, target_rows


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
def test_the_check_needs_only_a_few_numbers_of_the_device(targets: Tensor, passed: bool) -> None:
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
