"""What kind of targets a module has: seen from the loss functions that its step calls on the clean batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from lightning_comixup.training.derived_tensors import DerivedTensors, argument

# PyTorch's losses by what their targets are. Those of class indices have logits (B, K, ...).
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
# Where losses that a project wrote itself use the targets as indices: the number of classes can be read off these too.
_INDEXING = ("one_hot", "gather", "scatter", "scatter_", "__getitem__")


class LossCall(NamedTuple):
    """One use of the targets in the step on the clean batch."""

    function: str
    classes: int | None  # K, where the targets are class indices
    linear: bool  # whether the targets are numbers, of the shape that they have in the batch
    ignored: int | None = None  # an integer target whose samples do not count
    adjusted: bool = False  # whether it differs from the mean cross-entropy: weights, smoothing, another reduction


class LossWatch(DerivedTensors):
    """Notes how the step on the clean batch uses the targets."""

    def __init__(self, targets: Tensor) -> None:
        """Watch the uses of one batch's targets."""
        super().__init__([targets])
        self._targets = targets
        self._losses: list[LossCall] = []
        self._others: list[LossCall] = []

    @property
    def calls(self) -> Sequence[LossCall]:
        """The calls of loss functions; where there is none, other uses that show the number of classes."""
        return self._losses or self._others

    def before_call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note a call that shows what the targets are."""
        if name in (*CLASS_LOSSES, *NUMBER_LOSSES):
            self._note_loss(name, args, kwargs)
        elif name in _INDEXING:
            self._note_indexing(name, args, kwargs)

    def after_call(self, name: str, derived: list[Tensor], result: Any) -> None:
        """Note the classes of one-hot targets."""
        if name == "one_hot":
            self._others.append(LossCall(name, result.shape[-1], False))

    def _note_loss(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        logits, targets = argument(args, kwargs, 0, "input"), argument(args, kwargs, 1, "target")
        if not self.is_derived(targets) or not isinstance(logits, Tensor):
            return
        is_one_hot = targets.numel() > self._targets.numel()
        adjusted = _is_adjusted(name, kwargs, args)
        if name in CLASS_LOSSES and not targets.is_floating_point():
            classes = logits.shape[1] if logits.ndim > 1 else None
            self._losses.append(LossCall(name, classes, False, _ignored(name, kwargs), adjusted))
        elif name in CLASS_LOSSES or is_one_hot:
            self._losses.append(LossCall(name, targets.shape[-1], False, adjusted=adjusted))
        elif self.has_same_values(targets) or self._targets.is_floating_point():  # not `targets == 3` of labels
            self._losses.append(LossCall(name, None, True, adjusted=True))

    def _note_indexing(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        source = argument(args, kwargs, 0, "input")
        if name == "one_hot" or not isinstance(source, Tensor) or self.is_derived(source):
            return
        if source.ndim == 2 and len(source) == len(self._targets):  # of one row for each sample
            self._others.append(LossCall(name, source.shape[1], False, adjusted=True))


def _ignored(name: str, kwargs: dict[str, Any]) -> int | None:
    """Return the target that PyTorch's losses of classes ignore, -100 unless they are told another."""
    return kwargs.get("ignore_index", -100) if name in ("cross_entropy", "nll_loss") else None


def _is_adjusted(name: str, kwargs: dict[str, Any], args: tuple[Any, ...]) -> bool:
    """Whether a call is anything but the plain mean cross-entropy of logits."""
    plain = name == "cross_entropy" and len(args) == 2
    smoothing, weight = kwargs.get("label_smoothing") or 0.0, kwargs.get("weight")
    return not (plain and smoothing == 0 and weight is None and kwargs.get("reduction", "mean") == "mean")
