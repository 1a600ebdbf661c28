"""Batches whose second part is not the targets. The losses of the step show which part is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lightning_comixup import CoMixup, Edges
from tests.tiny import CLASSES, Plain, fit, make_data

_X, _Y = make_data(20)
_SECOND = {
    "another column of numbers": torch.rand(20),
    "a table": torch.rand(20, 5),
    "a domain": torch.arange(20) % 3,
    "logits of a teacher": torch.rand(20, CLASSES),
}


class Third(Plain):
    """Uses the third part as labels, and also the second part."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.targets_seen.append(batch[2])
        logits = self(batch[0])
        loss = F.cross_entropy(logits, batch[2])
        if batch[1].shape == logits.shape:
            return loss + F.kl_div(logits.log_softmax(1), batch[1].softmax(1), reduction="batchmean")
        return loss + 0 * batch[1].float().mean()


@pytest.mark.parametrize("second", _SECOND.values(), ids=_SECOND)
def test_labels_elsewhere_are_named_by_the_error_and_its_remedy_trains(second: Tensor) -> None:
    loader: DataLoader[Any] = DataLoader(TensorDataset(_X, second, _Y), batch_size=10)
    with pytest.raises(ValueError, match=r"target_key must name .* Pass CoMixup\(target_key=2\)"):
        fit(Third(), CoMixup(seed=0), loader=loader)
    module = Third()
    fit(module, CoMixup(seed=0, target_key=2), loader=loader, max_epochs=1)
    assert {targets.ndim for targets in module.targets_seen} == {1, 2}


def test_a_part_that_no_loss_uses_does_not_matter() -> None:
    class Second(Plain):
        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            return (F.cross_entropy(self(batch[0]), batch[1], reduction="none") * batch[2]).mean()

    fit(Second(), loader=DataLoader(TensorDataset(_X, _Y, torch.rand(20)), batch_size=10))


def test_several_views_are_not_targets() -> None:
    loader: DataLoader[Any] = DataLoader(TensorDataset(_X, _X + 1, _X - 1), batch_size=10)
    with pytest.raises(ValueError, match="must be given"):
        fit(Plain(), loader=loader)


class Named(Plain):
    """Uses the parts with the given names."""

    def __init__(self, inputs: str, targets: str) -> None:
        super().__init__()
        self.names = inputs, targets

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        inputs, targets = (batch[name] for name in self.names)
        self.seen = inputs, targets
        assert len(batch["image"]) == batch["image"].shape[0] == len(targets)
        return F.cross_entropy(self(inputs), targets.squeeze(1) if targets.shape[1:] == (1,) else targets)


def _fit_named(module: Named, **options: Any) -> None:
    batch = {"image": _X, "crop": _X, "label": _Y, "same": _Y, "column": _Y[:, None]}
    batches: Any = [batch]
    loader: Any = DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch)
    fit(module, CoMixup(seed=0, **options), loader=loader, max_epochs=1)


@pytest.mark.parametrize("name", ["same", "column"])
@pytest.mark.parametrize("clean_weight", [1.0, 0.0])
def test_targets_that_are_in_the_batch_twice(name: str, clean_weight: float) -> None:
    """Only one of the two is mixed. A step that uses the other one would train mixed inputs on clean labels."""
    with pytest.raises(ValueError, match=r"found that its losses use those of the clean batch"):
        _fit_named(Named("image", name), clean_weight=clean_weight)
    module = Named("image", name)
    _fit_named(module, clean_weight=clean_weight, target_key=name)
    assert module.seen[1].shape == (20, CLASSES)


@pytest.mark.parametrize("clean_weight", [1.0, 0.0])
def test_inputs_that_the_step_does_not_use(clean_weight: float) -> None:
    """Without a gradient at the inputs, only the step's calls show which part it uses."""
    options: dict[str, Any] = {"saliency": Edges(), "clean_weight": clean_weight}
    with pytest.raises(ValueError, match=r"input_key must name the part that the step uses, found image"):
        _fit_named(Named("crop", "label"), **options)
    module = Named("crop", "label")
    _fit_named(module, **options, input_key="crop")
    assert not torch.equal(module.seen[0], _X)
    _fit_named(Named("crop", "label"), **options, input_key="image")
    _fit_named(Named("image", "label"), **options)
