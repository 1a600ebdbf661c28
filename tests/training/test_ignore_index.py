"""Samples without a class: they are mixed like others, but have no share in the targets."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lightning_comixup import CoMixup
from tests.tiny import CLASSES, Listed, Plain, Tiny, fit, is_clean_pass, largest_difference, make_data


def _loader(ignored: int) -> DataLoader[Any]:
    inputs, targets = make_data(20)
    targets[::3] = ignored
    return DataLoader(Listed(inputs, targets), batch_size=10)


class Ignoring(Plain):
    """A user's module that records the mixed batches."""

    index = -100

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        if not is_clean_pass(self):
            self.seen.append([part.clone() for part in batch])
            return F.cross_entropy(self(batch[0]), batch[1])
        return F.cross_entropy(self(batch[0]), batch[1], ignore_index=self.index)


class IgnoringMinusOne(Ignoring):
    index = -1


@pytest.mark.parametrize("kind", [Ignoring, IgnoringMinusOne])
def test_ignored_samples_have_no_share_in_the_targets(kind: type[Ignoring]) -> None:
    module = kind()
    start = copy.deepcopy(module)
    fit(module, CoMixup(seed=0), loader=_loader(kind.index), max_epochs=1)
    optimizer = start.configure_optimizers()
    for clean, mixed in zip(_loader(kind.index), module.seen, strict=True):
        rows = mixed[1]
        assert rows.shape == (10, CLASSES)
        assert float(rows.sum(1).max()) <= 1
        assert float(rows.sum()) < 9
        optimizer.zero_grad()
        F.cross_entropy(start(clean[0]), clean[1], ignore_index=kind.index).backward()
        F.cross_entropy(start(mixed[0]), rows).backward()
        optimizer.step()
    assert largest_difference(module, start) == 0


def test_ignored_samples_are_mixed() -> None:
    """Only one sample of the batch is labelled. The outputs are mixed all the same, and many have no target at all."""
    module = Ignoring()
    inputs, targets = make_data(10)
    loader = DataLoader(Listed(inputs, torch.where(torch.arange(10) == 0, targets, -100)), batch_size=10)
    fit(module, CoMixup(seed=0), loader=loader, max_epochs=1)
    [(mixed, rows)] = module.seen
    assert not torch.equal(mixed, inputs)
    assert int((rows.sum(1) == 0).sum()) > 4


def test_the_argument_overrides_the_index_of_the_loss() -> None:
    class Own(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if not is_clean_pass(self):
                self.seen.append(batch)
            return self.comixup_loss(self(batch[0]), batch[1], ignore_index=-7)

    module = Own()
    fit(module, CoMixup(seed=0, ignore_index=-7), loader=_loader(-7), max_epochs=1)
    assert len(module.seen) == 2
    with pytest.raises(ValueError, match=r"must lie in \[0, 5\), found -7 to 3"):
        fit(Own(), CoMixup(seed=0, ignore_index=-8), loader=_loader(-7), max_epochs=1)
