"""Batches of every kind."""

from __future__ import annotations

import dataclasses
import functools
from collections import UserDict, namedtuple
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from lightning.pytorch.utilities import CombinedLoader
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_comixup import CoMixup
from lightning_comixup.training.batch import with_part
from lightning_comixup.training.batch_layout import describe_layout
from tests.tiny import Items, Tiny, fit, is_clean_pass, largest_difference, make_data


class Pair(NamedTuple):
    image: Tensor
    label: Tensor


@dataclasses.dataclass
class Record:
    image: Tensor
    label: Tensor


LegacyPair = namedtuple("LegacyPair", ["image", "label", "path"])


@dataclasses.dataclass(frozen=True)
class FrozenRecord:
    image: Tensor
    label: Tensor


class Encoding(UserDict[str, Any]):
    """A container like those of tokenizers. Items are also attributes, and `.to` returns the container itself."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self.data[name]
        except KeyError as error:
            raise AttributeError(name) from error

    def to(self, device: Any) -> Encoding:
        return self


class Thing:
    def __init__(self, image: Tensor, label: Tensor) -> None:
        self.image, self.label, self.source = image, label, "camera"


class AnyBatch(Tiny):
    """Reads batches of any kind, and records them."""

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


# Containers whose parts are found without keys. A collate function makes them from (inputs, targets).
_FOUND: list[tuple[str, Any, Any]] = [
    ("a tuple", lambda x, y: (x, y), tuple),
    ("a list with more", lambda x, y: [x, y, "extra", torch.arange(len(y))], lambda batch: batch[:2]),
    ("exchanged", lambda x, y: (y, x), lambda batch: batch[::-1]),
    ("strings and None", lambda x, y: (["a"], x, y, None, {"path": ["b"]}), lambda batch: batch[1:3]),
    ("a column of labels", lambda x, y: (x, y.unsqueeze(1)), tuple),
    ("a dict", lambda x, y: {"id": ["a"], "label": y, "image": x}, lambda batch: (batch["image"], batch["label"])),
    ("other names", lambda x, y: {"cls": y, "jpg": x, "idx": 1 + y}, lambda batch: (batch["jpg"], batch["cls"])),
    ("usual names", lambda x, y: {"depth": x + 1, "img": x, "age": y + 1, "y": y}, lambda b: (b["img"], b["y"])),
    (
        "nested",
        lambda x, y: {"data": {"image": x}, "label": [y]},
        lambda batch: (batch["data"]["image"], *batch["label"]),
    ),
    ("a dict in a tuple", lambda x, y: ({"image": x}, y), lambda batch: (batch[0]["image"], batch[1])),
    ("a named tuple", lambda x, y: LegacyPair(y, x, "path"), lambda batch: (batch.label, batch.image)),
    ("a user's dict", lambda x, y: UserDict(image=x, label=y), lambda batch: (batch["image"], batch["label"])),
    ("an encoding", lambda x, y: Encoding(pixel_values=x, labels=y), lambda batch: (batch.pixel_values, batch.labels)),
    ("a dataclass", Record, lambda batch: (batch.image, batch.label)),
    ("a namespace", lambda x, y: SimpleNamespace(image=x, label=y), lambda batch: (batch.image, batch.label)),
    ("an object", Thing, lambda batch: (batch.image, batch.label)),
    (
        "a dict in an object",
        lambda x, y: SimpleNamespace(data={"image": x}, label=[y]),
        lambda batch: (batch.data["image"], *batch.label),
    ),
    (
        "a dict in an encoding",
        lambda x, y: Encoding({"data": {"image": x}, "label": [y]}),
        lambda batch: (batch["data"]["image"], *batch["label"]),
    ),
    (
        "an object in a dict",
        lambda x, y: {"data": Thing(x, y)},
        lambda batch: (batch["data"].image, batch["data"].label),
    ),
]


@pytest.mark.parametrize(("wrap", "keys", "read"), [case[1:] for case in _CONTAINERS], ids=[c[0] for c in _CONTAINERS])
def test_every_container_gets_the_same_mixed_batch(wrap: Any, keys: dict[str, Any], read: Any) -> None:
    loader = DataLoader(Items(wrap), batch_size=10)
    _assert_mixed_as_tuples(loader, read, **keys)


@pytest.mark.parametrize(("wrap", "read"), [case[1:] for case in _FOUND], ids=[case[0] for case in _FOUND])
def test_the_parts_of_every_container_are_found(wrap: Any, read: Any) -> None:
    """The tensors and containers belong to the data set, and do not change."""
    inputs, targets = make_data(20)
    batches: Any = [wrap(*parts) for parts in zip(inputs.split(10), targets.split(10), strict=True)]
    layouts = [describe_layout(batch) for batch in batches]
    loader: Any = DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch)
    _assert_mixed_as_tuples(loader, read)
    assert [describe_layout(batch) for batch in batches] == layouts
    assert all(torch.equal(a, b) for a, b in zip((inputs, targets), make_data(20), strict=True))


def test_a_frozen_dataclass_of_the_users_own_transfer() -> None:
    class Moving(AnyBatch):
        def transfer_batch_to_device(self, batch: Any, device: Any, dataloader_idx: int) -> Any:
            return batch

    inputs, targets = make_data(20)
    batches: Any = [FrozenRecord(*parts) for parts in zip(inputs.split(10), targets.split(10), strict=True)]
    loader: Any = DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch)
    _assert_mixed_as_tuples(loader, lambda batch: (batch.image, batch.label), Moving)


@functools.cache
def _trained_on_tuples() -> Tiny:
    module = Tiny()
    loader = DataLoader(Items(lambda x, y: (x, y)), batch_size=10)
    fit(module, CoMixup(seed=0, input_key=0, target_key=1), loader=loader, max_epochs=2)
    return module


def _assert_mixed_as_tuples(loader: Any, read: Any, kind: type[AnyBatch] | None = None, **settings: Any) -> None:
    module, expected = (kind or AnyBatch)(read), _trained_on_tuples()
    fit(module, CoMixup(seed=0, **settings), loader=loader, max_epochs=2)
    assert len(module.seen) == len(expected.seen) == 4
    for found, wanted in zip(module.seen, expected.seen, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    assert largest_difference(module, expected) == 0


def test_containers_keep_their_type_and_other_parts() -> None:
    module = AnyBatch(lambda batch: (batch.image, batch.label))
    loader = DataLoader(Items(lambda x, y: LegacyPair(x, y, 7)), batch_size=10)
    fit(module, loader=loader, max_epochs=1)
    assert all(type(batch) is LegacyPair and (batch.path == 7).all() for batch in module.batches)


def test_containers_around_a_mutable_one_stay_the_same() -> None:
    inner = {"image": 1, "id": 2}
    batch = (inner, "label")
    assert with_part(batch, [0, "image"], 5, in_place=True) is batch
    assert inner == {"image": 5, "id": 2}


def test_parts_by_negative_indices_and_of_objects() -> None:
    assert with_part((1, 2, 3), -1, 5, in_place=True) == (1, 2, 5)
    assert with_part(Pair(1, 2), -2, 5, in_place=True) == Pair(5, 2)  # type: ignore[arg-type]
    batch = SimpleNamespace(image=1, more=SimpleNamespace(label=2))
    for in_place in (True, False):  # an object may be the user's own
        assert with_part(batch, ["more", "label"], 5, in_place=in_place).more.label == 5
        assert with_part(batch, "image", 5, in_place=in_place).image == 5
    assert batch == SimpleNamespace(image=1, more=SimpleNamespace(label=2))
    encoding = Encoding(image=1)
    assert with_part(encoding, "image", 5, in_place=True)["image"] == 5
    assert encoding["image"] == 1
    data = UserDict(image=1)
    assert with_part(data, "image", 5, in_place=True) is data
    assert data["image"] == 5


@pytest.mark.parametrize("mode", ["min_size", "max_size_cycle", "max_size"])
def test_combined_loaders(mode: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The batch has labelled and other data. The named parts are mixed, and those of the other loader do not change."""
    loaders = {
        "labelled": DataLoader(Items(lambda x, y: (x, y)), batch_size=10),
        "other": DataLoader(Items(lambda x, y: (x, y)), batch_size=5),
    }
    module = AnyBatch(lambda batch: batch["labelled"] or make_data(10))
    callback = CoMixup(seed=0, input_key=["labelled", 0], target_key=["labelled", 1])
    with caplog.at_level("INFO"):
        fit(module, callback, loader=CombinedLoader(loaders, mode), max_epochs=1)
    # With "max_size", the shorter loader runs out.
    assert caplog.text.count("CoMixup leaves batches unmixed") == (mode == "max_size")
    assert len(module.batches) == (2 if mode == "min_size" else 4)
    expected = Tiny()
    fit(expected, loader=loaders["labelled"], max_epochs=1)
    for found, wanted in zip(module.seen[:2], expected.seen, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
    inputs, targets = make_data(20)
    for index, batch in enumerate(module.batches):
        assert torch.equal(batch["other"][0], inputs[5 * index : 5 * index + 5])
        assert torch.equal(batch["other"][1], targets[5 * index : 5 * index + 5])
