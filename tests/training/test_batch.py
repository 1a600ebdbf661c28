"""Batches of every kind."""

from __future__ import annotations

import dataclasses
from collections import namedtuple
from typing import Any, NamedTuple

import pytest
import torch
from lightning.pytorch.utilities import CombinedLoader
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_comixup import CoMixup
from lightning_comixup.training.batch import with_part
from tests.tiny import CLASSES, Items, Tiny, fit, is_clean_pass, make_data


class Pair(NamedTuple):
    image: Tensor
    label: Tensor


@dataclasses.dataclass
class Record:
    image: Tensor
    label: Tensor


LegacyPair = namedtuple("LegacyPair", ["image", "label", "path"])


def _collate_records(items: list[Any]) -> Record:
    return Record(torch.stack([item[0] for item in items]), torch.stack([item[1] for item in items]))


class AnyBatch(Tiny):
    """Reads a batch by the callback's keys and notes what every hook gets."""

    def __init__(self, read: Any) -> None:
        super().__init__()
        self.read = read
        self.batches: list[Any] = []

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        if not is_clean_pass(self):
            self.batches.append(batch)
        return super().training_step(self.read(batch), batch_idx)


_CONTAINERS: list[tuple[str, Any, dict[str, Any], Any]] = [
    ("list", lambda x, y: [x, y, "extra"], {}, lambda batch: batch[:2]),
    ("tuple", lambda x, y: (x, y), {}, tuple),
    ("named tuple", Pair, {}, tuple),
    ("named tuple by name", Pair, {"input_key": "image", "target_key": "label"}, tuple),
    ("named tuple with more", lambda x, y: LegacyPair(x, y, "path"), {}, lambda batch: (batch.image, batch.label)),
    (
        "dict",
        lambda x, y: {"image": x, "label": y, "id": 3},
        {"input_key": "image", "target_key": "label"},
        lambda batch: (batch["image"], batch["label"]),
    ),
    (
        "nested, by getter and setter",
        lambda x, y: {"data": {"image": x}, "label": y},
        {
            "input_key": (lambda batch: batch["data"]["image"], lambda batch, value: batch["data"].update(image=value)),
            "target_key": "label",
        },
        lambda batch: (batch["data"]["image"], batch["label"]),
    ),
    (
        "nested, by path",
        lambda x, y: {"data": {"image": x}, "label": y},
        {"input_key": ["data", "image"], "target_key": "label"},
        lambda batch: (batch["data"]["image"], batch["label"]),
    ),
    (
        "tuple in a named tuple in a tuple",
        lambda x, y: (Pair(x, (3, y)), 4),  # type: ignore[arg-type]
        {"input_key": (0, "image"), "target_key": (0, 1, 1)},
        lambda batch: (batch[0].image, batch[0].label[1]),
    ),
    (
        "setter that returns a new batch",
        lambda x, y: (y, x),
        {
            "input_key": (lambda batch: batch[1], lambda batch, value: (batch[0], value)),
            "target_key": (lambda batch: batch[0], lambda batch, value: (value, batch[1])),
        },
        lambda batch: (batch[1], batch[0]),
    ),
]


@pytest.mark.parametrize(("wrap", "keys", "read"), [case[1:] for case in _CONTAINERS], ids=[c[0] for c in _CONTAINERS])
def test_every_container_gets_the_same_mixed_batch(wrap: Any, keys: dict[str, Any], read: Any) -> None:
    module = AnyBatch(read)
    fit(module, CoMixup(seed=0, **keys), loader=DataLoader(Items(wrap), batch_size=10), max_epochs=1)
    expected = Tiny()
    fit(expected, loader=DataLoader(Items(lambda x, y: (x, y)), batch_size=10), max_epochs=1)
    for found, wanted in zip(module.seen, expected.seen, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_dataclass_batches() -> None:
    module = AnyBatch(lambda batch: (batch.image, batch.label))
    loader = DataLoader(Items(lambda x, y: (x, y)), batch_size=10, collate_fn=_collate_records)
    fit(module, CoMixup(seed=0, input_key="image", target_key="label"), loader=loader, max_epochs=1)
    assert all(batch.label.shape == (10, CLASSES) for batch in module.batches)


def test_containers_keep_their_type_and_what_else_they_hold() -> None:
    module = AnyBatch(lambda batch: (batch.image, batch.label))
    loader = DataLoader(Items(lambda x, y: LegacyPair(x, y, 7)), batch_size=10)
    fit(module, loader=loader, max_epochs=1)
    assert all(type(batch) is LegacyPair and (batch.path == 7).all() for batch in module.batches)


def test_containers_around_one_that_can_change_stay_the_same() -> None:
    inner = {"image": 1, "id": 2}
    batch = (inner, "label")
    assert with_part(batch, [0, "image"], 5, in_place=True) is batch
    assert inner == {"image": 5, "id": 2}


@pytest.mark.parametrize("mode", ["min_size", "max_size_cycle", "max_size"])
def test_combined_loaders(mode: Any) -> None:
    """Labelled and further data in one batch: what is named is mixed, the other loader's part is left alone."""
    loaders = {
        "labelled": DataLoader(Items(lambda x, y: (x, y)), batch_size=10),
        "other": DataLoader(Items(lambda x, y: (x, y)), batch_size=5),
    }
    module = AnyBatch(lambda batch: batch["labelled"] or make_data(10))
    callback = CoMixup(seed=0, input_key=["labelled", 0], target_key=["labelled", 1])
    if mode == "max_size":  # the shorter loader runs out
        with pytest.raises(ValueError, match=r"input_key must name a part .*\['labelled', 0\]"):
            fit(module, callback, loader=CombinedLoader(loaders, mode), max_epochs=1)
        return
    fit(module, callback, loader=CombinedLoader(loaders, mode), max_epochs=1)
    expected = Tiny()
    fit(expected, loader=loaders["labelled"], max_epochs=1)
    for found, wanted in zip(module.seen[:2], expected.seen, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    inputs, targets = make_data(20)
    for index, batch in enumerate(module.batches):
        assert torch.equal(batch["other"][0], inputs[5 * index : 5 * index + 5])
        assert torch.equal(batch["other"][1], targets[5 * index : 5 * index + 5])
