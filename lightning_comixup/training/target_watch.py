"""Wrong uses of mixed targets, found in the first mixed step: most give a wrong result without an error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from lightning_comixup.training.derived_tensors import (
    CASTS,
    RESHAPING,
    DerivedTensors,
    argument,
    is_called_by_us,
    tensors_in,
    users_line,
)
from lightning_comixup.training.loss_watch import BINARY_LOSSES

_AS_INTEGERS = (
    "take `targets if targets.ndim == 1 else targets.argmax(1)`, which does for clean batches as well, or the metric "
    "SoftTargetAccuracy"
)
_AS_LOSS = (
    "use torch's cross_entropy or `self.comixup_loss(logits, targets)` of CoMixupMixin, which take class "
    "probabilities; for a loss that only takes integers `self.comixup_loss(logits, targets, loss_fn=...)`"
)
_AS_ROWS = "take `targets if targets.ndim == 2 else F.one_hot(targets, K)`, which does for clean batches as well"
_REPLACEABLE = (
    "for a model of transformers that computes its loss itself "
    "`model.loss_function = lambda labels, logits, *_, **__: torch.nn.functional.cross_entropy(logits, labels)`, or, "
    "if that changes nothing, `torch.nn.functional.cross_entropy(outputs.logits, targets)` in the step"
)
_WEIGHTS = (
    "CoMixup: torch's weighted cross-entropy divides by the weights of integer targets, but by the batch size for "
    "class probabilities: the clean and the mixed loss are not on one scale. comixup_loss(logits, targets, "
    "class_weights=...) of CoMixupMixin divides both by the weights."
)
_INTEGER_LOSSES = ("nll_loss", "multi_margin_loss", "multilabel_margin_loss")
_COMPARISONS = ("eq", "__eq__", "ne", "__ne__", "isin", "equal")
_INDEXED_BY = (
    *("gather", "scatter", "scatter_", "scatter_add", "scatter_add_", "index_select", "take", "embedding"),
    *("__getitem__", "__setitem__"),
)
_COUNTS = ("one_hot", "bincount")
_CASTS = (*CASTS, "__int__", "__index__")
_SUM_TOLERANCE = 1e-2  # rounding of bf16
_TO_NUMPY = ("numpy", "tolist", "__array__")


class TargetWatch(DerivedTensors):
    """Raises an error where a step takes mixed targets for integers."""

    def __init__(self, targets: Iterable[Tensor], *, are_classes: bool, has_binary_loss: bool = False) -> None:
        """Watch the uses of the targets of a mixed batch.

        Args:
            targets: Its mixed targets.
            are_classes: Whether they are rows of class probabilities whose origin are integers.
            has_binary_loss: Whether the step takes the binary cross-entropy of the one-hot labels of a clean batch.
        """
        super().__init__(targets)
        self._are_classes = are_classes
        self._has_binary_loss = has_binary_loss
        self.notes: list[str] = []  # on what is right but not what it was on the clean batch
        self._truncated: dict[int, tuple[Tensor, str]] = {}  # what a cast made, and where

    def before_call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise the error of a wrong use.

        What a step makes of the targets by `argmax`, a comparison or the like is its own and may be used in any way.

        Raises:
            ValueError: If the call takes the targets for integers.
        """
        if is_called_by_us():
            return
        self._check_truncated(name, args, kwargs)
        if any(self._is_soft(tensor) for tensor in tensors_in((args, kwargs))):
            self._check_use(name, args, kwargs)

    def _check_use(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if name in _COMPARISONS:
            raise self._error("must not be compared with integers", name, _AS_INTEGERS)
        if name in _COUNTS:
            raise self._error("must not be counted", name, _AS_ROWS)
        if name in _INTEGER_LOSSES:
            raise self._error("must not go into a loss of integers", name, _AS_LOSS)
        if name in _INDEXED_BY and any(self._is_soft(index) for index in _indices(name, args, kwargs)):
            raise self._error("must not be an index", name, _AS_LOSS)
        if self._are_classes and name in _TO_NUMPY:
            raise self._error("must not be passed on as integers", name, _AS_INTEGERS)
        if self._are_classes and name in ("cross_entropy", *BINARY_LOSSES):
            self._check_loss(name, args, kwargs)

    def after_call(self, name: str, derived: list[Tensor], result: Any) -> None:
        """Note a cast to integers: an error once it is used."""
        if name in _CASTS and not _is_floating(result) and any(tensor.is_floating_point() for tensor in derived):
            if not isinstance(result, Tensor):
                raise self._error("must not be cast to integers", name, _AS_INTEGERS)
            self._truncated[id(result)] = result, users_line()
        elif name in (*RESHAPING, "to") and isinstance(result, Tensor):
            origin = [self._truncated[id(tensor)][1] for tensor in derived if id(tensor) in self._truncated]
            self._truncated |= {id(result): (result, line) for line in origin}

    def _is_soft(self, tensor: object) -> bool:
        return self.is_derived(tensor) and _is_floating(tensor)

    def _check_truncated(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise an error for the use of truncated targets; a cast that only a metric gets does no harm."""
        if name in RESHAPING:  # a metric may get them through these
            return
        for tensor in tensors_in((args, kwargs)):
            if id(tensor) in self._truncated:
                line = self._truncated[id(tensor)][1]
                raise self._error(
                    "must not be cast to integers", f"the cast at {line} used", f"{_AS_INTEGERS}; in a loss, {_AS_LOSS}"
                )

    def _check_loss(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise an error for class probabilities that were flattened, or taken for several labels at once."""
        logits, targets = argument(args, kwargs, 0, "input"), argument(args, kwargs, 1, "target")
        if not self._is_soft(targets):
            return
        if name in BINARY_LOSSES and not self._has_binary_loss:
            raise self._error("must not be taken for several labels at once", name, f"{_AS_LOSS}; {_REPLACEABLE}")
        if logits.shape != targets.shape:
            found = f"{name} of logits {tuple(logits.shape)} and targets {tuple(targets.shape)}"
            raise self._error(
                "must have the shape of the logits and not be flattened", found, f"{_AS_LOSS}; {_REPLACEABLE}"
            )
        if name in BINARY_LOSSES:  # each class by itself, whatever the step makes of the rows
            return
        if not self.has_same_values(targets) and not _sum_to_one(targets):
            raise self._error("must still sum to 1 in a loss", f"{name} of what was computed from them", _AS_LOSS)
        if argument(args, kwargs, 2, "weight") is not None and kwargs.get("reduction", "mean") == "mean":
            self.notes.append(_WEIGHTS)

    def _error(self, rule: str, found: str, remedy: str) -> ValueError:
        kind = "class probabilities (B, K)" if self._are_classes else "averages of several samples' targets"
        # Not a TypeError: `==` would take one for "not implemented".
        return ValueError(
            f"Mixed targets are {kind} and {rule}, found {found} at {users_line()}. Where they are used, {remedy}."
        )


def _indices(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """Return the arguments of a function that are indices."""
    if "index" in kwargs:
        return list(tensors_in(kwargs["index"]))
    if name == "embedding":  # the only one whose index comes first
        return list(tensors_in(argument(args, kwargs, 0, "input")))
    with_source = name in ("__setitem__", "scatter", "scatter_", "scatter_add", "scatter_add_")
    return list(tensors_in(args[1:-1] if with_source else args[1:]))


def _sum_to_one(rows: Tensor) -> bool:
    sums = rows.detach().sum(1)
    return bool(torch.isclose(sums, torch.ones_like(sums), atol=_SUM_TOLERANCE).all())


def _is_floating(result: Any) -> bool:
    return isinstance(result, Tensor) and result.is_floating_point()
