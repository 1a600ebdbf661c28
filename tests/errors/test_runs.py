"""Everything that a user can get wrong in a Trainer run. The error states the rule, the value and what to do."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lightning_comixup import CoMixup
from tests.errors.table import Changed, assert_answers
from tests.tiny import CLASSES, Plain, Tiny, fit, make_data

_X, _Y = make_data(8)
_SOFT = F.one_hot(_Y, CLASSES).float()
_MAPS = torch.ones(8, 8, 8)


class _Named(Tiny):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return self.comixup_loss(self(batch["x"]), batch["y"])


class _Heads(Changed, Plain):
    pass


class _Loss(Tiny):
    """A module with its own clean loss."""

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.loss = loss

    def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Any:
        return self.loss(self, inputs)


def _shows_nothing(module: Any, inputs: Tensor) -> Tensor:
    """Return a loss that does not use targets, from two outputs, so that neither shows the number of classes."""
    return (module(inputs) + module(inputs)).square().sum()


class Run(NamedTuple):
    """One batch, the settings of the callback, and three parts of the error message."""

    batch: Any
    settings: dict[str, Any]
    error: type[Exception]
    rule: str
    found: str
    remedy: str
    module: Any = Tiny


def _targets(targets: Any, error: type[Exception], rule: str, found: str, remedy: str, **settings: Any) -> Run:
    return Run([_X, targets], settings, error, rule, found, remedy)


def _inputs(inputs: Any, error: type[Exception], rule: str, found: str, remedy: str) -> Run:
    return Run([inputs, _Y], {}, error, rule, found, remedy)


def _saliency(value: Any, error: type[Exception], rule: str, found: str, remedy: str) -> Run:
    settings = {"saliency": lambda module, inputs, targets: value, "clean_weight": 0.0, "num_classes": CLASSES}
    return Run([_X, _Y], settings, error, rule, found, remedy)


def _other(name: str, value: Any, error: type[Exception], rule: str, found: str, remedy: str) -> Run:
    settings = {"input_key": "x", "target_key": "y", name: ["z"]}
    return Run({"x": _X, "y": _Y, "z": value}, settings, error, rule, found, remedy, _Named)


def _averaged(part: Any, error: type[Exception], rule: str, found: str, remedy: str, **settings: Any) -> Run:
    targets = _SOFT if settings.get("linear_targets") else _Y
    return Run({"x": _X, "y": targets, "z": part}, {"target_key": "y"} | settings, error, rule, found, remedy, _Named)


def _module(
    module: Any, error: type[Exception], rule: str, found: str, remedy: str, targets: Any = _Y, **settings: Any
) -> Run:
    return Run([_X, targets], settings, error, rule, found, remedy, module)


_PART, _UNCLEAR = "must name a part of the batch", "must be given if the"
_KEYS, _KEY = "Pass CoMixup(input_key=..., target_key=...)", "Pass CoMixup(target_key=...)"
_IMAGE, _LABEL = "float32 (8, 1, 8, 8)", "int64 (8,)"
_RIGHT, _LOGITS = "Name the right part of the batch.", "logits must be a tensor (B, K)"
_CLASSES = "targets must be (B,) integer or (B, K) class probabilities"
_ROWS, _SAME = "must have one row per input", "of the same batch."
_GRAPH = "must not require a gradient"
_FINITE, _MAGNITUDE = "saliency must be finite", "saliency must not be negative"


def _head(change: Any, error: type[Exception], rule: str, found: str, remedy: str) -> Run:
    """Return a run whose clean pass treats the module's output as logits."""
    return _module(lambda: _Heads(change), error, rule, found, remedy, clean_loss="forward")


RUNS = {
    "batch: a tensor": Run(_X, {}, ValueError, f"input_key and target_key {_UNCLEAR} inputs", _IMAGE, _KEYS),
    "batch: one part": Run([_X], {}, ValueError, f"target_key {_UNCLEAR} targets", f"list(0: {_IMAGE})", _KEY),
    "batch: no inputs": Run({"x": _Y}, {}, ValueError, f"target_key {_UNCLEAR} inputs", f"dict(x: {_LABEL})", _KEYS),
    "batch: a dict": Run({"x": _X}, {}, ValueError, f"target_key {_UNCLEAR} targets", f"dict(x: {_IMAGE})", _KEY),
    "batch: two views": Run(
        {"a": _X, "b": _X + 1, "y": _Y},
        {},
        ValueError,
        f"{_UNCLEAR} inputs",
        f"dict(a: {_IMAGE}, b: {_IMAGE}, y: {_LABEL}): a and b can be the inputs",
        _KEYS,
    ),
    "batch: two views in a list": Run(
        [_X, _X + 1, _Y], {}, ValueError, f"{_UNCLEAR} inputs", f"list(0: {_IMAGE}, 1: {_IMAGE}, 2: {_LABEL})", _KEYS
    ),
    "batch: fine and coarse labels": Run(
        {"img": _X, "fine_label": _Y, "coarse_label": _Y // 2},
        {},
        ValueError,
        f"target_key {_UNCLEAR} targets",
        f"dict(img: {_IMAGE}, fine_label: {_LABEL}, coarse_label: {_LABEL}): fine_label and coarse_label can be",
        _KEY,
    ),
    "batch: an index": Run(
        {"x": _X, "sample_idx": _Y}, {}, ValueError, f"target_key {_UNCLEAR} targets", "dict(x: float32", _KEY
    ),
    "batch: no channels": Run(
        {"x": _X[:, 0, 0], "y": _Y}, {}, ValueError, f"{_UNCLEAR} inputs", "dict(x: float32 (8, 8)", "channel_dim=None"
    ),
    "batch: another key": Run(
        {"x": _X}, {"input_key": "y"}, ValueError, _PART, f"'y' for dict(x: {_IMAGE})", "Pass CoMixup(input_key=...)"
    ),
    "batch: a word": Run("ab", {}, ValueError, f"{_UNCLEAR} inputs", "str: no part", _KEYS),
    "batch: given in words": Run([_X, _Y, "a"], {"input_key": 2}, TypeError, "inputs must be a tensor", "str", _RIGHT),
    "batch: cannot change": Run(
        MappingProxyType({"x": _X, "y": _Y}),
        {},
        TypeError,
        "A batch must be a container whose parts can be replaced",
        "mappingproxy(x:",
        "Pass input_key and target_key as (getter, setter) pairs",
    ),
    "inputs: NumPy": _inputs(_X.numpy(), ValueError, f"{_UNCLEAR} inputs", "list(0: ndarray float32", _KEYS),
    "inputs: bytes": _inputs(_X.byte(), TypeError, "inputs must be floating-point", "torch.uint8", "`.float()`"),
    "inputs: rows": _inputs(
        _X[:, 0, 0], ValueError, "inputs must be (B, C, *spatial)", "shape (8, 8)", "None for inputs without channels"
    ),
    "inputs: none": _inputs(
        _X[:0], ValueError, "inputs must be (B, C, *spatial)", "shape (0, 1, 8, 8)", "Name the right"
    ),
    "inputs: NaN": _inputs(
        _X * torch.nan, ValueError, _FINITE, "NaN, infinity or sums that overflow in 8 of 8 maps", 'on_nonfinite="skip"'
    ),
    "inputs: a graph": _inputs(_X.clone().requires_grad_(), ValueError, _GRAPH, "some that do", "Move a learned"),
    "targets: a list": _targets(_Y.tolist(), ValueError, f"target_key {_UNCLEAR}", "list(0: float32", _KEY),
    "targets: None": _targets(None, ValueError, f"target_key {_UNCLEAR}", f"list(0: {_IMAGE}, 1: None)", _KEY),
    "targets: too few": _targets(_Y[:4], ValueError, f"targets {_ROWS}", "shape (4,) for 8 inputs", _SAME),
    "targets: fractions": _targets(_Y.float(), ValueError, _CLASSES, "shape (8,) of torch.float32", "`.long()`"),
    "targets: maps": _targets(_MAPS.long(), ValueError, _CLASSES, "shape (8, 8, 8)", "linear_targets=True"),
    "targets: given as None": _targets(None, TypeError, "targets must be a tensor", "NoneType", _RIGHT, target_key=1),
    "targets: too large": _targets(_Y + CLASSES, ValueError, "must lie in [0, 5)", "5 to", "one output per class"),
    "targets: ignored": _targets(_Y - 100, ValueError, "must lie in [0, 5)", "-100 to", "leave out samples"),
    "targets: sums": _targets(
        2 * _SOFT, ValueError, "must sum to 1", "sums from 2 to 2", "CoMixup(linear_targets=True)"
    ),
    "targets: other K": _targets(
        _SOFT[:, :4], ValueError, "must be (B,) or (B, K) for logits (8, 5)", "(8, 4)", "Give the module"
    ),
    "targets: a graph": _targets(_SOFT.clone().requires_grad_(), ValueError, _GRAPH, "some that do", "Move a learned"),
    "targets: K given": _targets(
        _Y, ValueError, "must be the number of the module's logits, 5", "4", "Leave num_classes", num_classes=4
    ),
    "also_mix: absent": Run(
        [_X, _Y], {"also_mix": [2]}, ValueError, f"also_mix {_PART}", "2 for list(0: float32", "Pass CoMixup(also_mix"
    ),
    "also_mix: integers": _other(
        "also_mix", _X.long(), TypeError, "also_mix must be floating-point", "torch.int64", "`.float()`"
    ),
    "also_mix: too few": _other("also_mix", _X[:5], ValueError, f"also_mix {_ROWS}", "shape (5, 1, 8, 8) for 8", _SAME),
    "also_mix: signals": _other(
        "also_mix", _MAPS, ValueError, "must have one entry per", "(4, 4) for also_mix", "equally many dimensions."
    ),
    "also_mix: small": _other(
        "also_mix", _X[..., :2], ValueError, "must not exceed the spatial size of also_mix", "(4, 4) cells", "Lower"
    ),
    "also_mix: a graph": _other("also_mix", _X.clone().requires_grad_(), ValueError, _GRAPH, "some that do", "Move a"),
    "also_average: None": _other("also_average", None, TypeError, "also_average must be a tensor", "NoneType", _RIGHT),
    "also_average: one": _other(
        "also_average", _X[0, 0, 0, 0], ValueError, f"also_average {_ROWS}", "shape () for 8", _SAME
    ),
    "also_average: sparse": _other(
        "also_average",
        _SOFT.to_sparse(),
        TypeError,
        "also_average must be dense",
        "layout torch.sparse_coo",
        "`.to_dense()`",
    ),
    "also_average: 8 bits": _other(
        "also_average", _SOFT.to(torch.float8_e5m2), TypeError, "must have 16 bits", "torch.float8_e5m2", "`.float()`"
    ),
    "also_average: rows of integers": _other(
        "also_average",
        _Y[:, None].expand(8, 3),
        TypeError,
        "z in also_average must be floating-point, bool, or integer labels (B,)",
        "shape (8, 3) of torch.int64",
        "Convert quantities with `.float()`",
    ),
    "also_average: too large": _other(
        "also_average",
        _Y + 3,
        ValueError,
        "Integer z in also_average must lie in [0, 5)",
        "3 to",
        "Raise the number of classes",
    ),
    "also_average: other columns": _averaged(
        _SOFT,
        ValueError,
        "z in also_average must have one column for each of its 4 classes",
        "shape (8, 5) of torch.float32",
        "Give integer labels as (B,)",
        also_average={"z": 4},
    ),
    "also_average: how many classes": Run(
        {"x": _X, "y": _SOFT, "z": _Y},
        {"target_key": "y", "also_average": ["z"], "linear_targets": True, "clean_weight": 0.0},
        ValueError,
        "z in also_average must have its number of classes",
        "None for integer labels",
        "Give it in a mapping",
        lambda: _Loss(_shows_nothing),
    ),
    "linear: sparse": _module(
        lambda: _Loss(lambda module, inputs: module(inputs).sum()),
        TypeError,
        "targets must be dense",
        "layout torch.sparse_coo",
        "`.to_dense()`",
        _SOFT.to_sparse(),
        linear_targets=True,
    ),
    "linear: classes": _module(
        Tiny, ValueError, "must agree with the losses", "linear_targets=True and", "Leave", linear_targets=True
    ),
    "linear: default loss": _module(
        Tiny, ValueError, "must be overridden", "cross-entropy", "Inherit", linear_targets=True, clean_loss="forward"
    ),
    "saliency: None": _saliency(
        None, TypeError, "saliency must be a floating-point tensor", "NoneType", "`compute_saliency`"
    ),
    "saliency: NumPy": _saliency(
        _MAPS.numpy(), TypeError, "saliency must be a floating-point tensor", "ndarray", "`.float()`"
    ),
    "saliency: channels": _saliency(_X.abs(), ValueError, "saliency must be (B, *spatial)", "(8, 1, 8, 8)", "Reduce"),
    "saliency: NaN": _saliency(
        _MAPS * torch.nan, ValueError, _FINITE, "NaN, infinity or sums that overflow in 8 of 8", "set_detect_anomaly"
    ),
    "saliency: negative": _saliency(-_MAPS, ValueError, _MAGNITUDE, "a cell of mean -1", "Take its magnitude."),
    "saliency: elsewhere": _saliency(
        _MAPS.to("meta"), ValueError, "must be on the device of the inputs, cpu", "meta", "Move it"
    ),
    "classes: unknown": _module(
        lambda: _Loss(_shows_nothing),
        ValueError,
        "num_classes must be given",
        "None",
        "CoMixup(linear_targets=True)",
        saliency=lambda *_: _MAPS,
        clean_weight=0.0,
    ),
    "logits: a dict": _head(lambda logits: {"l": logits}, TypeError, _LOGITS, "dict", "override"),
    "logits: maps": _head(lambda logits: logits[..., None], ValueError, _LOGITS, "shape (8, 5, 1)", "override"),
    "logits: one": _head(
        lambda logits: logits[:, :1], ValueError, "must have at least two", "shape (8, 1)", "For a single logit use"
    ),
    "logits: two": _head(lambda logits: logits[:, :2], ValueError, "must lie in [0, 2)", "0 to", "one output"),
    "logits: no backward": _module(
        lambda: _Heads(Tensor.detach), ValueError, "must depend on the inputs", "no gradient", "Remove"
    ),
    "loss: a number": _module(
        lambda: _Loss(lambda *_: 0.5), TypeError, "clean loss must be a tensor", "float", "Return the loss"
    ),
    "loss: per sample": _module(
        lambda: _Loss(lambda module, inputs: module(inputs).sum(1)),
        ValueError,
        "must be a scalar",
        "shape (8,)",
        "Average it",
    ),
    "grid: too fine": _module(
        Tiny, ValueError, "grid_size must not exceed", "(9, 9) cells", "Lower grid_size.", grid_size=9
    ),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_wrong_run_raises_a_clear_error(run: Run) -> None:
    module = run.module()
    data: Any = [run.batch]
    loader: DataLoader[Any] = DataLoader(data, batch_size=None, collate_fn=lambda batch: batch)
    with pytest.raises(run.error) as raised:
        fit(module, CoMixup(seed=0, **run.settings), loader=loader, max_epochs=1)
    assert_answers(str(raised.value), run.rule, run.found, run.remedy)
    assert all(bool(parameter.isfinite().all()) for parameter in module.parameters())
