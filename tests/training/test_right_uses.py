"""Uses of the targets that are right, and must not be taken for wrong ones."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_comixup.training.derived_tensors import DerivedTensors
from tests.tiny import CLASSES, Plain, fit, is_clean_pass


def _by_one_hot(labels: Tensor) -> Tensor:
    return F.one_hot(labels, CLASSES).float()


def _by_scatter(labels: Tensor) -> Tensor:
    return torch.full((len(labels), CLASSES), 0.01).scatter_(1, labels.view(-1, 1), 0.96)


def _by_filling(labels: Tensor) -> Tensor:
    return torch.zeros(len(labels), CLASSES).scatter(1, labels[:, None], 1.0)


class Binary(Plain):
    """Binary cross-entropy of each class, of labels and of rows."""

    def __init__(self, as_rows: Callable[[Tensor], Tensor] = _by_one_hot) -> None:
        super().__init__()
        self.as_rows = as_rows
        self.threshold: float | None = None

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        inputs, targets = batch
        if not is_clean_pass(self):
            self.targets_seen.append(targets)
        rows = self.as_rows(targets) if targets.ndim == 1 else targets
        rows = rows if self.threshold is None else (rows > self.threshold).float()
        return F.binary_cross_entropy_with_logits(self(inputs), rows)


@pytest.mark.parametrize("as_rows", [_by_one_hot, _by_scatter, _by_filling])
@pytest.mark.parametrize("threshold", [None, 0.2])
def test_a_binary_loss_of_one_hot_labels_goes_on_with_rows(
    as_rows: Callable[[Tensor], Tensor], threshold: float | None
) -> None:
    module = Binary(as_rows)
    module.threshold = threshold
    fit(module)
    assert all(targets.shape[1:] == (CLASSES,) for targets in module.targets_seen)


class Switching(Plain):
    """Takes rows for several labels, which labels are not."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        logits, targets = self(batch[0]), batch[1]
        if targets.is_floating_point():
            return F.binary_cross_entropy_with_logits(logits, targets)
        return F.cross_entropy(logits, targets)


def test_a_binary_loss_of_rows_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="several labels at once"):
        fit(Switching())


class Unfinished(dict[str, Tensor]):
    """A mapping that cannot be looked into while `deepcopy` makes it."""

    def __reduce__(self) -> Any:
        return Unfinished, (), {"data": dict(self)}

    def __setstate__(self, state: Any) -> None:
        self.update(state["data"])

    def values(self) -> Any:
        if not len(self):
            raise RecursionError
        return super().values()


def test_a_deep_copy_is_followed_but_not_its_record() -> None:
    labels = torch.arange(3)
    with DerivedTensors([labels]) as watch:
        copied = copy.deepcopy(Unfinished(label=labels))["label"]
        assert watch.is_derived(copied)
        assert watch.has_same_values(copied)
