"""Taking the rows of some groups of a batch: from every container, or from none if the rows are unclear."""

from __future__ import annotations

import dataclasses
from array import array
from collections import UserDict, UserList, deque, namedtuple
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_comixup import CoMixup
from lightning_comixup.method.groups import Groups
from lightning_comixup.training.batch_reader import BatchReader, CleanBatch
from lightning_comixup.training.batch_rows import take_rows
from lightning_comixup.training.config import MixingConfig
from tests.tiny import Plain, fit, is_clean_pass

_SIZE, _GROUPS, _ROWS = 8, Groups(8, 2, (1, 3)), [2, 3, 6, 7]


def _inputs() -> Tensor:
    return torch.arange(float(_SIZE)).view(-1, 1, 1, 1).expand(-1, 1, 4, 4).clone()


def _labels() -> Tensor:
    return torch.arange(_SIZE)


def _fill(batch: Any, **parts: Any) -> Any:
    """Set the inputs, the targets and other parts as attributes."""
    for name, part in {"image": _inputs(), "label": _labels(), **parts}.items():
        setattr(batch, name, part)
    return batch


def _take(batch: Any, **options: Any) -> Any:
    config: MixingConfig = CoMixup(**{"input_key": "image", "target_key": "label"} | options)._config
    clean = CleanBatch(batch, 0, BatchReader(config).read(batch))  # type: ignore[arg-type]
    return take_rows(clean, _GROUPS, config)


class Attributes(dict[str, Any]):
    """A dict whose attributes are its items."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__ = self


class Marked(dict[str, Any]):
    """A dict that can have attributes."""


class Mixed:
    """Has a slot in addition to its attributes."""

    __slots__ = ("__dict__", "weights")


class Uncopied:
    """Returns itself as its copy."""

    def __copy__(self) -> Any:
        return self


class Strict(dict[str, Any]):
    """A dict that accepts only parts with all rows of the batch."""

    def __setitem__(self, key: str, part: Any) -> None:
        if len(part) != _SIZE:
            raise RuntimeError("the size of the batch is 8")
        super().__setitem__(key, part)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    image: Tensor
    label: Tensor
    rest: Any


Named = namedtuple("Named", ["image", "label", "rest"])


def _make_dict(**rest: Any) -> dict[str, Any]:
    return {"image": _inputs(), "label": _labels(), **rest}


@pytest.mark.parametrize(
    "make",
    [
        lambda rest: _make_dict(rest=rest),
        lambda rest: UserDict(_make_dict(rest=rest)),
        lambda rest: Marked(_make_dict(rest=rest)),
        lambda rest: Attributes(_make_dict(rest=rest)),
        lambda rest: _fill(SimpleNamespace(), rest=rest),
        lambda rest: Named(_inputs(), _labels(), rest),
        lambda rest: Frozen(_inputs(), _labels(), rest),
    ],
)
def test_rows_are_cut(make: Any) -> None:
    batch = make(["abcdefgh"[index] for index in range(_SIZE)])
    found = _take(batch)
    get: Any = found.batch.get if isinstance(found.batch, dict | UserDict) else lambda name: getattr(found.batch, name)
    assert get("rest") == ["c", "d", "g", "h"]
    assert get("label").tolist() == found.parts.targets.tolist() == _ROWS
    assert found.parts.inputs[:, 0, 0, 0].tolist() == _ROWS
    assert type(found.batch) is type(batch)
    if isinstance(batch, Attributes):
        assert torch.equal(found.batch.label, found.batch["label"])
    whole: Any = batch if isinstance(batch, dict | UserDict) else {"rest": batch.rest, "label": batch.label}
    assert len(whole["rest"]) == len(whole["label"]) == _SIZE


@pytest.mark.parametrize(
    "make",
    [
        lambda: [{"weight": 0.1 * index} for index in range(_SIZE)],
        lambda: [torch.tensor(index) for index in range(_SIZE)],
        lambda: [["a"] * _SIZE for _ in range(_SIZE)],
        lambda: [torch.ones(_SIZE, 2) for _ in range(_SIZE)],
        lambda: deque(range(_SIZE)),
        lambda: UserList(range(_SIZE)),
        lambda: array("f", range(_SIZE)),
        lambda: torch.eye(_SIZE).to_sparse(),
        lambda: torch.eye(_SIZE).to_sparse_csr(),
        lambda: torch.nested.nested_tensor([torch.rand(2) for _ in range(_SIZE)]),
        lambda: np.float32(3),
        lambda: {"a", "b"},
        lambda: _SIZE,
    ],
)
@pytest.mark.filterwarnings("ignore:.*(nested|CSR)")
def test_a_part_whose_rows_are_unclear_keeps_the_batch_whole(make: Any) -> None:
    assert _take(_make_dict(rest=make())) is None


def test_containers_that_hide_parts_stay_whole() -> None:
    weights = torch.arange(_SIZE)
    marked = Marked(_make_dict())
    marked.weights = weights  # type: ignore[attr-defined]
    for batch in (marked, _fill(Mixed(), weights=weights), _fill(SimpleNamespace(), _weights=weights)):
        assert _take(batch) is None
    marked.weights = None  # type: ignore[attr-defined]
    assert _take(marked) is not None


def test_containers_that_cannot_be_copied_or_cut_stay_whole() -> None:
    batch = _fill(Uncopied(), weights=torch.arange(_SIZE))
    assert _take(batch) is None
    assert len(batch.weights) == len(batch.label) == _SIZE
    assert _take(Strict(_make_dict())) is None


def test_a_getter_that_looks_elsewhere_keeps_the_batch_whole() -> None:
    batch, elsewhere = {"label": _labels()}, _inputs()
    assert _take(batch, input_key=(lambda _: elsewhere, lambda *_: None)) is None


def test_a_part_in_several_places_stays_shared() -> None:
    shared = {"index": torch.arange(_SIZE)}
    batch = _make_dict(first=shared, second=shared)
    batch["itself"] = batch
    found = _take(batch).batch
    assert found["first"] is found["second"]
    assert found["first"]["index"].tolist() == _ROWS
    assert found["itself"] is found
    assert len(shared["index"]) == _SIZE


def test_a_masked_array_keeps_its_mask() -> None:
    part = np.ma.masked_array(np.arange(_SIZE), mask=[True, False] * 4)
    found = _take(_make_dict(rest=part)).batch["rest"]
    assert found.data.tolist() == _ROWS
    assert found.mask.tolist() == [True, False] * 2


@pytest.mark.parametrize("options", [{}, {"mixed_share": 0.5, "partition_size": 4, "clean_weight": 0}])
def test_a_dict_whose_attributes_are_its_items(options: dict[str, Any]) -> None:
    """In the clean pass, attributes and items lead to the same inputs."""
    sizes = []

    class Module(Plain):
        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            sizes.append((is_clean_pass(self), len(batch.label), len(batch["label"])))
            return F.cross_entropy(self(batch.image), batch.label)

    batches: Any = [Attributes(image=torch.rand(8, 1, 8, 8), label=torch.arange(8) % 5)]
    loader: Any = torch.utils.data.DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch)
    fit(Module(), CoMixup(seed=0, log=False, **options), loader=loader, max_epochs=1)
    size = 4 if options else 8
    assert sizes == [(True, size, size), (False, 8, 8)]
