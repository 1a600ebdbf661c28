"""Describing batches in words, copying them, and searching them for tensors."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, UserDict, defaultdict
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lightning_comixup.training.batch_layout import copy_containers, describe_layout, tensor_leaves, unnamed_rows

_X, _Y = torch.rand(20, 3, 8, 8), torch.arange(20)
_IMAGE, _LABEL = "float32 (20, 3, 8, 8)", "int64 (20,)"


class Pair(NamedTuple):
    image: Any
    label: Any


@dataclasses.dataclass
class Record:
    image: Any
    label: Any


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    image: Any
    label: Any


class Encoding(UserDict[str, Any]):
    """A container whose items are also attributes, as in some libraries. Missing attributes raise a KeyError."""

    def __getattr__(self, name: str) -> Any:
        return self.data[name]


class Plain:
    def __init__(self, image: Any, label: Any) -> None:
        self.image, self.label, self._hidden = image, label, [1]


_LAYOUTS: list[tuple[Any, str]] = [
    (_X, _IMAGE),
    (None, "None"),
    ("ab", "str"),
    ([], "list()"),
    ([_X, _Y], f"list(0: {_IMAGE}, 1: {_LABEL})"),
    (("key", _X, None), f"tuple(0: str, 1: {_IMAGE}, 2: None)"),
    ({"image": _X, "id": ["a", "b"]}, f"dict(image: {_IMAGE}, id: list of str)"),
    (Pair(_X, _Y), f"Pair(image: {_IMAGE}, label: {_LABEL})"),
    (Record(_X, _Y), f"Record(image: {_IMAGE}, label: {_LABEL})"),
    (SimpleNamespace(image=_X), f"SimpleNamespace(image: {_IMAGE})"),
    (Encoding(image=_X), f"Encoding(image: {_IMAGE})"),
    (Plain(_X, _Y), f"Plain(image: {_IMAGE}, label: {_LABEL})"),
    (Plain(1, 2), "Plain"),
    (nn.Linear(1, 1), "Linear"),
    ({"a": np.zeros((2, 3), np.float32)}, "dict(a: ndarray float32 (2, 3))"),
    ({"a": [{"b": {"c": [_X]}}]}, "dict(a: list(0: dict(b: dict of 1)))"),
    (list(range(3)) + [_X] * 20, f"list({', '.join([f'{k}: int' for k in range(3)])}, "),
]


@pytest.mark.parametrize(("batch", "layout"), _LAYOUTS, ids=[layout[:30] for _, layout in _LAYOUTS])
def test_layouts_in_words(batch: Any, layout: str) -> None:
    found = describe_layout(batch)
    assert found.startswith(layout) and found.endswith(", 11 more)") if layout[-1] == " " else found == layout


def _nested() -> Any:
    return {
        "list": [_X, {"label": _Y}],
        "tuple": (Pair(_X, [_Y]), "text"),
        "record": Record(_X, Frozen([_X], {"label": _Y})),
        "object": SimpleNamespace(image=[_X], label=Plain(_X, [_Y])),
        "user's": Encoding(image=[_X]),
        "ordered": OrderedDict(a=[1]),
        "default": defaultdict(list, a=[_X]),
    }


def _containers(batch: Any) -> list[Any]:
    if isinstance(batch, Tensor | str | int):
        return []
    if isinstance(batch, dict | UserDict):
        parts = list(batch.values())
    elif isinstance(batch, list | tuple):
        parts = list(batch)
    else:
        parts = [batch.image, batch.label]
    return [batch] + [container for part in parts for container in _containers(part)]


def test_copies_share_tensors_but_not_mutable_containers() -> None:
    batch = _nested()
    copied = copy_containers(batch)
    old, new = _containers(batch), _containers(copied)
    assert [type(container) for container in new] == [type(container) for container in old]
    assert not {id(container) for container in old} & {id(container) for container in new}
    assert describe_layout(copied) == describe_layout(batch)
    assert {leaf.tensor.data_ptr() for leaf in tensor_leaves(copied)} == {_X.data_ptr(), _Y.data_ptr()}
    assert copied["default"].default_factory is list


def test_copies_share_everything_that_is_not_a_container() -> None:
    proxy, module, plain = MappingProxyType({"a": _X}), nn.Linear(1, 1), Plain(1, 2)
    for batch in (proxy, module, plain, torch.Size([1]), None, "ab", _X):
        assert copy_containers(batch) is batch


def test_an_object_that_refers_to_itself_is_copied_once() -> None:
    batch = SimpleNamespace(image=_X)
    batch.same = batch
    copied = copy_containers(batch)
    assert copied is not batch
    assert copied.same is copied
    assert batch.same is batch
    assert describe_layout(batch).startswith(f"SimpleNamespace(image: {_IMAGE}, same: SimpleNamespace(")


def test_tensors_with_their_paths() -> None:
    batch = {"data": Record([_X], 3), "label": _Y, 5: (None, _Y), (1, 2): _X, "deep": [[[_X]]]}
    assert [leaf.path for leaf in tensor_leaves(batch)] == [("data", "image", 0), ("label",), (5, 1)]


def test_rows_that_nobody_named() -> None:
    batch = {"image": _X, "label": _Y, "index": _Y.clone(), "more": {"weight": _X[:, 0, 0, 0]}, "scale": torch.ones(3)}
    assert unnamed_rows(batch, [_X, _Y], 20) == ["index", "['more', 'weight']"]
    assert unnamed_rows(_X, [], 20) == []
