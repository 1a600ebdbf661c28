"""The parts of a batch that are recognised as inputs and targets. `test_batch` trains on them."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch

from lightning_comixup import CoMixup
from lightning_comixup.training.batch_keys import find_keys
from tests.tiny import make_data

_X, _Y = make_data(8)
_ROWS = torch.rand(8, 3)


class View(NamedTuple):
    index: Any
    image: Any
    label: Any


class Restored(NamedTuple):
    noisy: Any
    clean: Any


_FOUND: list[tuple[Any, dict[str, Any], tuple[Any, Any]]] = [
    ((_X, _Y), {}, (0, 1)),
    ((_X, _Y, _Y + 1), {}, (0, 1)),  # the third part could be an index
    ((_X, _X + 1), {}, (0, 1)),
    ((_X, _ROWS), {}, (0, 1)),
    ((_X, _Y, _ROWS), {"linear_targets": True}, (0, 2)),
    (Restored(_X, _X + 1), {"linear_targets": True}, (0, 1)),
    (View(_Y, _X, _Y + 1), {}, ("image", "label")),
    ((_X, _Y), {"input_key": 0}, (0, 1)),
    ((_Y, _X), {"input_key": 1}, (1, 0)),
    ((_Y, _X), {"target_key": 0}, (1, 0)),
    ((_X, _Y, _X + 1), {"also_mix": [2]}, (0, 1)),
    ((_X + 1, _X, _Y), {"also_mix": [0]}, (1, 2)),
    (("a", "b", _X, None, _Y), {}, (2, 4)),
    ({"left": _X, "right": _X + 1, "label": _Y}, {"also_mix": ["right"]}, ("left", "label")),
    ({"left": _X, "right": _X + 1, "label": _Y}, {"input_key": "right"}, ("right", "label")),
    ({"fine": _Y, "coarse": _Y + 1, "x": _X}, {"target_key": "fine"}, ("x", "fine")),
    ({"fine": _Y, "coarse": _Y + 1, "x": _X}, {"also_average": {"coarse": 9}}, ("x", "fine")),
    ({"x": _X, "score": _ROWS, "kind": _Y}, {}, ("x", "kind")),  # integers come before floating-point numbers
    ({"x": _X, "labels": _ROWS, "kind": _Y}, {}, ("x", "labels")),  # usual names come before integers
    ({"x": _X, "score": _ROWS, "kind": _Y}, {"linear_targets": True}, ("x", "score")),
    ({"x": _X, "mask": _Y, "weights": _Y, "image_id": _Y, "class_id": _Y}, {}, ("x", "class_id")),
    ({"x": _X, "validMask": _Y, "input_lengths": _Y, "species": _Y}, {}, ("x", "species")),
    ({"scan": _X, "mask": _X, "label": _Y}, {}, ("scan", "label")),
    ({"a": {"b": {"Image": _X, "other": _X + 1}}, "Label": _Y}, {}, (("a", "b", "Image"), "Label")),
    ({"audio": _X[:, 0, 0], "label": _Y}, {"channel_dim": None}, ("audio", "label")),
    ({"x": _X, "table": _ROWS.unsqueeze(2), "label": _Y}, {"channel_dim": -1}, ("x", "label")),
    ({"x": _X.half(), "count": _X.long(), "label": _Y}, {}, ("x", "label")),
]


@pytest.mark.parametrize(("batch", "settings", "keys"), _FOUND, ids=range(len(_FOUND)))
def test_keys_are_found(batch: Any, settings: dict[str, Any], keys: tuple[Any, Any]) -> None:
    assert find_keys(batch, CoMixup(**settings)._config) == keys


_UNCLEAR: list[tuple[Any, str]] = [
    ({"x": _X, "y": _Y[:4]}, r"target_key must be given .* no part can be the targets"),
    ({"x": _X, "image_id": _Y, "weight": _ROWS}, r"target_key must be given .* no part can be the targets"),
    (
        {"x": _X, "a": _Y, "b": _Y + 1},
        r"target_key must be given .*: a and b can be the targets\. .*, such as target_key='a'\. ",
    ),
    (
        {"x": _X, "a": {"label": _Y}, "b": {"label": _Y}},
        r"\['a', 'label'\] and \['b', 'label'\] can be .*, such as target_key=\['a', 'label'\]\. ",
    ),
    ({"x": _X, "a": _ROWS, "b": _ROWS + 1}, r"a and b can be the targets"),
    ({"a": _X, "b": _X + 1, "label": _Y}, r"input_key and target_key must be given .*: a and b can be the inputs"),
    ((_X, _X + 1, _Y), r"part 0 and part 1 can be the inputs\. .*, such as input_key=0\. "),
    ({"a": {"b": {"c": {"image": _X}}}, "label": _Y}, r"no part can be the inputs.*channel_dim=None"),
    ((_X, {"label": None}), r"found tuple\(0: float32 \(8, 1, 8, 8\), 1: dict\(label: None\)\)"),
]


@pytest.mark.parametrize(("batch", "message"), _UNCLEAR, ids=range(len(_UNCLEAR)))
def test_unclear_batches_raise_an_error_that_asks_for_keys(batch: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_keys(batch, CoMixup()._config)
