"""Batches whose tensors are of a class of their own, as those of medical and vision libraries are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassAccuracy

from lightning_comixup import CoMixup
from lightning_comixup.training.derived_tensors import storages
from tests.tiny import CLASSES, Items, Plain, fit, largest_difference


class Tagged(Tensor):
    """A tensor that a library gave further attributes and methods."""


class Remote(Tensor):
    """A tensor without memory here, as shards have none."""

    @staticmethod
    def __new__(cls) -> Remote:
        made: Remote = Tensor._make_wrapper_subclass(cls, (2,))
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        raise NotImplementedError


class Measured(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.accuracy = MulticlassAccuracy(CLASSES, average="micro")
        self.kinds: set[type] = set()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.kinds |= {type(part) for part in batch}
        logits = self(batch[0])
        self.accuracy(logits, batch[1])
        self.log("accuracy", self.accuracy, on_step=False, on_epoch=True)
        return torch.nn.functional.cross_entropy(logits, batch[1])


def _as_tagged(part: Tensor) -> Tagged:
    return part.as_subclass(Tagged)


def _fit(collate: Any, **settings: Any) -> tuple[Measured, float]:
    module = Measured()
    loader = DataLoader(Items(lambda inputs, target: (inputs, target)), batch_size=10, collate_fn=collate)
    trainer = fit(module, CoMixup(seed=0, **settings), loader=loader)
    return module, float(trainer.callback_metrics["accuracy"])


def _tagged(items: Any) -> list[Tensor]:
    return [_as_tagged(part) for part in torch.utils.data.default_collate(items)]


def _mean_square(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    return inputs.square().mean(1)


def test_they_are_mixed_as_others() -> None:
    for settings in ({}, {"clean_weight": 0, "saliency": _mean_square, "num_classes": CLASSES}):
        plain, accuracy = _fit(None, **settings)
        tagged, other_accuracy = _fit(_tagged, **settings)
        assert largest_difference(plain, tagged) == 0
        assert accuracy == other_accuracy
        assert tagged.kinds == {Tagged}


def test_memory_is_known_whatever_the_class() -> None:
    memory = torch.zeros(3)
    assert storages([_as_tagged(memory)]) == storages([memory[1:]]) == storages([torch.nn.Parameter(memory)]) != set()
    assert storages([Remote()]) == set()
