"""Detecting wrong uses of mixed targets in the first mixed step. Most would give a wrong result without an error."""

from __future__ import annotations

import re
from collections.abc import Iterable
from numbers import Integral
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lightning_comixup.training.call_origin import is_called_by_lightning, is_called_by_us, users_line
from lightning_comixup.training.derived_tensors import (
    CASTS,
    RESHAPING,
    DerivedTensors,
    argument,
    tensors_in,
)
from lightning_comixup.training.error_notes import MisusedTargetsError
from lightning_comixup.training.loss_watch import BINARY_LOSSES, NUMBER_LOSSES
from lightning_comixup.training.target_advice import (
    AS_INTEGERS,
    AS_LOSS,
    AS_NUMBERS,
    AS_ROWS,
    BY_KIND,
    REMOVE,
    REPLACEABLE,
    SMOOTHING,
    WEIGHTS,
    WRITTEN,
)

_INTEGER_LOSSES = ("nll_loss", "multi_margin_loss", "multilabel_margin_loss")
_COMPARISONS = ("eq", "__eq__", "ne", "__ne__", "isin", "equal")
_ORDERINGS = ("lt", "le", "gt", "ge", "less", "less_equal", "greater", "greater_equal")
_BY_ELEMENT = ("sub", "add", "mul", "div", "rsub", "subtract", "multiply", "divide", "true_divide")
_WITH_SOURCE = (
    *("__setitem__", "scatter", "scatter_", "scatter_add", "scatter_add_", "scatter_reduce", "scatter_reduce_"),
    *("index_add", "index_add_", "index_copy", "index_copy_", "index_fill", "index_fill_", "index_put", "index_put_"),
)
_INDEXED_BY = ("gather", "index_select", "take", "take_along_dim", "embedding", "__getitem__", *_WITH_SOURCE)
# The last one is called by `Tensor.unique` within PyTorch.
_COUNTS = ("one_hot", "bincount", "histc", "unique", "unique_consecutive", "_return_output")
_TO_INTEGER = ("__int__", "__index__")
_SUM_TOLERANCE = 1e-2  # rounding of bf16
_TO_NUMPY = ("numpy", "tolist", "__array__")
_PASSED_ON = "CoMixup: the code in training_step that uses the targets outside PyTorch (numpy, tolist) at"
_SHOWN = ("__repr__", "__format__", "item", "__float__", *_TO_NUMPY)  # printed or logged
_IN_A_MIXER = re.compile(r"\(through .*(mixup|cutmix)\w*\.py:\d+\)", re.IGNORECASE)  # such as timm's data/mixup.py
_ASSERTED = ("all", "any", "__bool__")  # a check such as `assert (targets < K).all()` does no harm


class ShownByLabels(NamedTuple):
    """How the clean pass used labels, as a reference for the uses of rows."""

    binary_rows: bool = False  # whether a binary cross-entropy used their one-hot rows
    smoothed_rows: bool = False  # whether a loss used such rows smoothed
    totals: frozenset[str] = frozenset()  # functions that computed the sum, the mean or the like of all labels


class TargetWatch(DerivedTensors):
    """Raises an error if a step treats mixed targets as integers."""

    always_shown = ("cross_entropy",)  # it may get targets that were computed from the mixed ones and other tensors

    def __init__(self, targets: Iterable[Tensor], *, are_classes: bool, shown: ShownByLabels | None = None) -> None:
        """Watch the uses of the targets of a mixed batch.

        Args:
            targets: The mixed targets.
            are_classes: Whether they are rows of class probabilities that come from integers.
            shown: How the clean pass used the labels.
        """
        super().__init__(targets)
        shown = shown or ShownByLabels()
        self._are_classes, self._shown = are_classes, shown
        self._is_of_all = False  # whether the current call has a single tensor and no other arguments
        self.notes: list[str] = []  # on uses that are valid but differ from those on the clean batch
        self._chosen: dict[int, Tensor] = {}  # decisions that the step derived from the targets, such as `argmax`
        self._senseless: dict[int, tuple[Tensor, str]] = {}  # results that must not be used, with a description

    def before_call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise an error on wrong use.

        Results that a step derives from the targets by `argmax`, a threshold or the like may be used in any way.

        Raises:
            ValueError: If the call treats the targets as integers.
        """
        self._is_of_all = len(args) == 1 and not kwargs
        if is_called_by_us():
            return
        if self._are_classes and name == "cross_entropy":
            self._check_sums(args, kwargs)
        self._check_senseless(name, args, kwargs)
        if any(self._is_soft(tensor) for tensor in tensors_in((args, kwargs))):
            self._check_use(name, args, kwargs)

    def _check_use(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if name in _COMPARISONS:
            raise self._error("must not be compared with integers", name, AS_INTEGERS)
        if name in _COUNTS:
            raise self._error("must not be counted", name, AS_ROWS)
        if name in _TO_INTEGER:
            raise self._error("must not be taken for integers", name, AS_INTEGERS)
        if name in _INTEGER_LOSSES:
            raise self._error("must not go into a loss of integers", name, AS_LOSS)
        if name in _INDEXED_BY and any(self._is_soft(index) for index in _indices(name, args, kwargs)):
            raise self._error("must not be an index", name, AS_LOSS)
        if self._are_classes and name in _TO_NUMPY:  # to store, draw or compare them
            self.notes.append(f"{_PASSED_ON} {users_line()} gets class probabilities (B, K), not integers.")
        if self._are_classes and name in ("cross_entropy", *NUMBER_LOSSES):
            self._check_loss(name, args, kwargs)
        if self._are_classes and name in (*_BY_ELEMENT, *_ORDERINGS):
            self._check_elements(name, args)

    def after_call(self, name: str, args: tuple[Any, ...], derived: list[Tensor], result: Any) -> None:
        """Record senseless results, which must not be used: a cast to integers, or a comparison with a class."""
        if name not in CASTS:
            decided = [part for part in tensors_in(result) if not part.is_floating_point()]
            follows = all(id(part) in self._chosen for part in derived if isinstance(part, Tensor))
            self._chosen |= {id(part): part for part in (tensors_in(result) if follows else decided)}
        elif all(id(part) in self._chosen for part in derived):
            self._chosen |= {id(part): part for part in tensors_in(result)}
            return
        if not isinstance(result, Tensor):
            return
        if name in CASTS and not result.is_floating_point() and any(map(_is_floating, derived)):
            self._senseless[id(result)] = result, f"a cast to integers at {users_line()}"
        elif self._are_classes and name in _ORDERINGS and self._is_against_class(args):
            self._senseless[id(result)] = result, f"a comparison with a class at {users_line()}"
        elif name in self._shown.totals and self._is_of_all and self.has_same_values(args[0]):
            self._senseless[id(result)] = result, f"{name} of all targets at {users_line()}"
        elif name in RESHAPING or name in CASTS:
            origin = [self._senseless[id(tensor)][1] for tensor in derived if id(tensor) in self._senseless]
            self._senseless |= {id(result): (result, found) for found in origin}

    def _is_against_class(self, args: tuple[Any, ...]) -> bool:
        """Whether an ordering compares targets with a class. A threshold of probabilities is not an integer."""
        is_class = len(args) == 2 and isinstance(args[1], Integral) and not isinstance(args[1], bool)
        return is_class and self.has_same_values(args[0])

    def _is_soft(self, tensor: object) -> bool:
        return self.is_derived(tensor) and _is_floating(tensor) and id(tensor) not in self._chosen

    def _check_senseless(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise an error if a senseless result is used. Passing it only to a metric does no harm."""
        tensors = _indices(name, args, kwargs) if name == "__getitem__" else list(tensors_in((args, kwargs)))
        passes_on = name in RESHAPING and name != "__getitem__"  # a metric may get them through these
        if passes_on or name in (*_ASSERTED, *_SHOWN) or is_called_by_lightning():
            return
        for _, found in (self._senseless[id(tensor)] for tensor in tensors if id(tensor) in self._senseless):
            remedy = next((advice for word, advice in BY_KIND.items() if word in found), AS_INTEGERS)
            raise self._error("must not be taken for integers", f"{found}, whose result is used", remedy)

    def _check_sums(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise an error for rows in a loss that are not class probabilities, whatever they were computed from."""
        logits, rows = argument(args, kwargs, 0, "input"), argument(args, kwargs, 1, "target")
        if not _is_floating(rows) or self.has_same_values(rows) or rows.ndim != 2 or rows.shape != logits.shape:
            return
        # Weighted rows are valid, and so are the zero rows of ignored samples. Labels among the rows are not.
        has_labels = bool(((rows >= 2) & (rows == rows.round())).any())
        if has_labels or (self.is_derived(rows) and self._roots_sum_to_one() and not _sum_to_one(rows)):
            raise self._error("must still sum to 1 in a loss", "cross_entropy of rows computed from them", AS_LOSS)

    def _roots_sum_to_one(self) -> bool:
        return all(_sum_to_one(root) for root in self.roots if root.ndim == 2)

    def _check_elements(self, name: str, args: tuple[Any, ...]) -> None:
        """Raise an error for arithmetic with one number per sample, since rows broadcast silently if B = K."""
        rows = [tensor for tensor in args if self.has_same_values(tensor)]
        others = [tensor for tensor in args if isinstance(tensor, Tensor) and not self.is_derived(tensor)]
        for tensor in others if rows and rows[0].ndim == 2 else ():
            if tensor.shape != rows[0].shape[:1]:
                continue
            is_prediction = tensor.requires_grad and not tensor.is_leaf
            if is_prediction or (not tensor.is_floating_point() and name not in ("mul", "multiply")):
                raise self._error("must not be computed with as one number for each sample", name, AS_INTEGERS)

    def _check_loss(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise an error for class probabilities that were flattened, or treated as several labels at once."""
        logits, targets = argument(args, kwargs, 0, "input"), argument(args, kwargs, 1, "target")
        if not self._is_soft(targets):
            return
        if name in BINARY_LOSSES and targets.ndim > 1 and not self._shown.binary_rows:
            raise self._error("must not be taken for several labels at once", name, f"{AS_LOSS}; {REPLACEABLE}")
        if logits.shape != targets.shape or (name == "cross_entropy" and targets.ndim < 2):
            found = f"{name} of logits {tuple(logits.shape)} and targets {tuple(targets.shape)}"
            raise self._error(
                "must have the shape of the logits and not be flattened", found, f"{AS_LOSS}; {REPLACEABLE}"
            )
        if self._shown.smoothed_rows and self.has_same_values(targets):
            self.notes.append(SMOOTHING)
        if name != "cross_entropy":
            return
        if argument(args, kwargs, 2, "weight") is not None and kwargs.get("reduction", "mean") == "mean":
            self.notes.append(WEIGHTS)

    def _error(self, rule: str, found: str, remedy: str) -> MisusedTargetsError:
        kind = "class probabilities (B, K)" if self._are_classes else "averages of several samples' targets"
        line = users_line()
        advice = REMOVE if _IN_A_MIXER.search(line) else remedy if self._are_classes else AS_NUMBERS
        # A TypeError would be unsuitable: `==` would interpret it as "not implemented".
        return MisusedTargetsError(
            f"Mixed targets are {kind} and {rule}, found {WRITTEN.get(found, found)} at {line}. At that line, {advice}."
        )


def _indices(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """Return the arguments of a function that are indices."""
    if "index" in kwargs:
        return list(tensors_in(kwargs["index"]))
    if name == "embedding":  # the only one whose index comes first
        return list(tensors_in(argument(args, kwargs, 0, "input")))
    return list(tensors_in(args[1:-1] if name in _WITH_SOURCE else args[1:]))


def _sum_to_one(rows: Tensor) -> bool:
    sums = rows.detach().sum(1)
    return bool(torch.isclose(sums, torch.ones_like(sums), atol=_SUM_TOLERANCE).all())


def _is_floating(result: Any) -> bool:
    return isinstance(result, Tensor) and result.is_floating_point()
