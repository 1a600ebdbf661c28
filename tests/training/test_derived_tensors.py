"""Following tensors through a step, and the properties of tensors that this needs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_comixup.training.derived_tensors import (
    DerivedTensors,
    argument,
    can_watch,
    storages,
    tensors_in,
    versions,
)


def test_tensors_computed_only_from_roots_are_derived() -> None:
    root, other = torch.arange(6.0).view(2, 3), torch.ones(2, 3)
    with DerivedTensors([root]) as watch:
        derived = [
            root[0],
            root.T,
            root + 1,
            root.long().flatten(),
            root.argmax(1),
            *root.unbind(),
            root.type_as(other),
        ]
        mixed = [root + other, other, torch.ones(3), other[:, root.argmax(1)]]
    assert all(watch.is_derived(tensor) for tensor in (root, *derived))
    assert not any(watch.is_derived(tensor) for tensor in mixed)
    assert watch.is_derived(root[:, 1:])  # a view created elsewhere
    assert not watch.is_derived(3)


def test_which_tensors_have_the_values_of_a_root() -> None:
    root = torch.tensor([0, 2, 1])
    with DerivedTensors([root]) as watch:
        same = [
            root.float(),
            root[:, None].repeat(1, 2),
            root.unsqueeze(1).expand(3, 4),
            root.double().clone().view(3, 1),
        ]
        others = [root + 1, root == 1, (root > 1).float(), root.float().mean()]
    assert all(watch.has_same_values(tensor) for tensor in (root, *same))
    assert not any(watch.has_same_values(tensor) for tensor in others)


def test_calls_with_roots_are_shown() -> None:
    class Noting(DerivedTensors):
        always_shown = ("relu",)

        def before_call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            calls.append(name)

    calls: list[str] = []
    root, other = torch.ones(3), torch.ones(3)
    with Noting([root]):
        torch.tanh(other)
        torch.relu(other)
        torch.add(root, other)
    assert calls == ["relu", "add"]


def test_tensors_without_their_own_memory() -> None:
    root = torch.arange(3.0)
    sparse = torch.eye(3).to_sparse()
    assert storages([sparse, torch.empty(0)]) == set()
    with DerivedTensors([root]) as watch:
        doubled = torch.vmap(lambda row: row * 2)(root)
        slope = torch.func.grad(lambda x: (x * root).sum())(torch.ones(3))
    assert doubled.tolist() == [0, 2, 4]
    assert slope.tolist() == [0, 1, 2]
    assert watch.is_derived(root)


class Tagged(Tensor):
    """A tensor class to which a library added attributes and methods."""


class Remote(Tensor):
    """A tensor without local memory, like some shards."""

    @staticmethod
    def __new__(cls) -> Remote:
        made: Remote = Tensor._make_wrapper_subclass(cls, (2,))
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        raise NotImplementedError


def test_memory_is_known_for_every_class() -> None:
    memory = torch.zeros(3)
    views = [memory, memory.as_subclass(Tagged), memory[1:], torch.nn.Parameter(memory)]
    assert len({tuple(storages([view])) for view in views}) == 1
    assert storages(views) != set()
    assert storages([Remote()]) == set()


def test_versions() -> None:
    tensor = torch.zeros(2)
    with torch.inference_mode():
        earlier = versions([tensor, torch.zeros(2)])
    tensor.add_(1)
    assert versions([tensor, tensor])[0] > earlier[0]
    assert earlier[1] == 0


class Unfinished(dict[str, Tensor]):
    """A mapping that cannot be read while `deepcopy` creates it."""

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


def test_tensors_in_containers() -> None:
    first, second = torch.ones(1), torch.zeros(1)
    assert list(tensors_in(({"a": first}, [(second, 3)], "text", None))) == [first, second]
    assert argument((1, 2), {}, 1, "target") == 2
    assert argument((1,), {"target": 2}, 1, "target") == 2
    assert argument((1,), {}, 1, "target") is None


def test_modules_that_hide_their_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = nn.Linear(2, 2)
    part: Any = torch.compile(plain, backend="aot_eager")
    compiled = nn.Sequential(part)
    assert can_watch(plain, is_compiled=False)
    monkeypatch.delattr(torch.compiler, "set_stance", raising=False)
    assert can_watch(plain, is_compiled=False)
    assert not can_watch(plain, is_compiled=True)
    assert not can_watch(compiled, is_compiled=False)


def test_a_lazy_parameter_has_no_memory_yet() -> None:
    layer = nn.LazyLinear(2)
    assert storages([layer.weight]) == set()
    with DerivedTensors([torch.ones(1)]) as watch:
        output = layer(torch.ones(2, 3))
    assert output.shape == (2, 2)
    assert not watch.is_derived(output)
