from __future__ import annotations

import pytest
import torch

from examples.evaluation.accuracy import measure_accuracy
from examples.evaluation.network import Predictions


def test_the_targets_rank_decides() -> None:
    logits = torch.arange(7.0, 0, -1).repeat(4, 1)  # class k has rank k + 1
    found = measure_accuracy(Predictions(logits, torch.tensor([0, 1, 4, 5])))
    assert found == {"top-1": pytest.approx(1 / 4), "top-5": pytest.approx(3 / 4)}


def test_classes_of_unequal_size_count_by_their_images() -> None:
    logits = torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0]])
    found = measure_accuracy(Predictions(logits, torch.tensor([0, 0, 0, 1])))
    assert found == {"top-1": pytest.approx(3 / 4)}  # with 3 classes, top-5 is meaningless
