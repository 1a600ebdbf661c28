"""Observing the kind of a module's targets from the loss functions that its step calls on the clean batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lightning_comixup.soft_targets.targets import flatten_labels
from lightning_comixup.training.derived_tensors import DerivedTensors, argument, tensors_in

# PyTorch's losses, sorted by the kind of their targets. The losses of class indices have logits (B, K, ...).
CLASS_LOSSES = ("cross_entropy", "nll_loss", "multi_margin_loss")
BINARY_LOSSES = ("binary_cross_entropy", "binary_cross_entropy_with_logits")
NUMBER_LOSSES = (
    *BINARY_LOSSES,
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "poisson_nll_loss",
    "gaussian_nll_loss",
    "kl_div",
    "soft_margin_loss",
    "multilabel_soft_margin_loss",
)
_IGNORED = -100  # PyTorch's default for its losses of classes
# Functions in which custom losses use the targets as indices. These too reveal the number of classes.
_INDEXING = ("gather", "__getitem__")
# Functions in which custom losses use the targets as numbers: labels of samples against the samples' predictions.
_BY_ELEMENT = ("sub", "rsub", "subtract", "mul", "multiply")
TOTALS = ("sum", "mean", "count_nonzero")  # of labels they give the number of positives, but of rows nothing useful


class LossCall(NamedTuple):
    """One use of the targets in the step on the clean batch."""

    function: str
    classes: int | None  # K, if the targets are class indices
    linear: bool  # whether the targets are numbers, in their shape in the batch
    ignored: int | None = None  # the integer target whose samples do not count
    adjusted: bool = False  # whether it differs from the mean cross-entropy by weights, smoothing or reduction
    smoothed: bool = False  # whether it gets rows of the labels that are not one-hot


class LossShapes(NamedTuple):
    """The shapes in a call of a loss of numbers, whatever its targets were computed from."""

    function: str
    outputs: tuple[int, ...]
    targets: tuple[int, ...]


class LossWatch(DerivedTensors):
    """Records how the step on the clean batch uses the targets."""

    always_shown = NUMBER_LOSSES  # they may get rows made from the labels by `scatter_` or an identity matrix

    def __init__(self, targets: Tensor) -> None:
        """Watch the uses of one batch's targets."""
        super().__init__([targets])
        self._targets = targets
        self._losses: list[LossCall] = []
        self.shapes: list[LossShapes] = []
        self.totals: set[str] = set()  # of all labels, such as the number of positive ones
        self._others: list[LossCall] = []

    @property
    def losses(self) -> Sequence[LossCall]:
        """The calls of loss functions."""
        return self._losses

    @property
    def calls(self) -> Sequence[LossCall]:
        """The calls of loss functions, or if there are none, other uses that reveal the kind of the targets."""
        return self._losses or self._others

    def before_call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Record a call that reveals the kind of the targets."""
        if name in (*CLASS_LOSSES, *NUMBER_LOSSES):
            self._note_loss(name, args, kwargs)
        elif name in _INDEXING:
            self._note_indexing(name, args, kwargs)
        elif name in TOTALS and len(args) == 1 and not kwargs and self.has_same_values(args[0]):
            self.totals.add(name)
        elif name in _BY_ELEMENT and self._has_predictions(args):
            self._others.append(LossCall(f"arithmetic ({name})", None, True, adjusted=True))

    def after_call(self, name: str, args: tuple[Any, ...], derived: list[Tensor], result: Any) -> None:
        """Record the number of classes of one-hot targets."""
        if name == "one_hot":
            self._others.append(LossCall(name, result.shape[-1], False))

    def _note_loss(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        logits, targets = argument(args, kwargs, 0, "input"), argument(args, kwargs, 1, "target")
        if not isinstance(targets, Tensor) or not isinstance(logits, Tensor):
            return
        if name in NUMBER_LOSSES:
            self.shapes.append(LossShapes(name, tuple(logits.shape), tuple(targets.shape)))
        if name in NUMBER_LOSSES and self._are_rows_of_labels(targets):
            smoothed = bool(((targets != 0) & (targets != 1)).any())
            self._losses.append(LossCall(name, targets.shape[1], False, adjusted=True, smoothed=smoothed))
        elif not self.is_derived(targets):
            return
        elif name in CLASS_LOSSES:
            classes = logits.shape[1] if logits.ndim > 1 else None
            adjusted = _is_adjusted(name, kwargs, args)
            self._losses.append(LossCall(name, classes, False, _ignored(name, kwargs), adjusted))
        elif self.has_same_values(targets) or self._targets.is_floating_point():  # but not `labels == 3`
            self._losses.append(LossCall(name, None, True, adjusted=True))

    def _note_indexing(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        source = argument(args, kwargs, 0, "input")
        if not isinstance(source, Tensor) or self.is_derived(source):
            return
        indices = [part for part in tensors_in((args[1:], kwargs)) if self.is_derived(part)]
        if all(part.dtype == torch.bool for part in indices):  # a mask
            return
        if source.ndim == 2 and len(source) == len(self._targets):  # one row per sample
            self._others.append(LossCall(name, source.shape[1], False, adjusted=True))

    def _are_rows_of_labels(self, rows: Tensor) -> bool:
        """Whether rows are one-hot or smoothed rows of integer labels, however they were made."""
        labels = flatten_labels(self._targets)
        if labels.is_floating_point() or labels.ndim != 1 or rows.ndim != 2 or len(rows) != len(labels):
            return False
        return rows.shape[1] > 1 and torch.equal(rows.detach().float().argmax(1), labels.to(rows.device, torch.int64))

    def _has_predictions(self, args: tuple[Any, ...]) -> bool:
        """Whether a call combines integer labels with one prediction for each."""
        labels = [part for part in args if self.has_same_values(part) and not part.is_floating_point()]
        others = [part for part in args if isinstance(part, Tensor) and part.requires_grad and part.is_floating_point()]
        return bool(labels and others) and labels[0].shape == others[0].shape == self._targets.shape


def _ignored(name: str, kwargs: dict[str, Any]) -> int | None:
    """Return the target that a PyTorch loss ignores, or None if it ignores none."""
    return kwargs.get("ignore_index", _IGNORED) if name in ("cross_entropy", "nll_loss") else None


def _is_adjusted(name: str, kwargs: dict[str, Any], args: tuple[Any, ...]) -> bool:
    """Whether a call is anything other than the plain mean cross-entropy of logits."""
    plain = name == "cross_entropy" and len(args) == 2
    smoothing, weight = kwargs.get("label_smoothing") or 0.0, kwargs.get("weight")
    return not (plain and smoothing == 0 and weight is None and kwargs.get("reduction", "mean") == "mean")
