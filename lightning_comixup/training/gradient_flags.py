"""Support for steps that set `requires_grad` on a view of the inputs, which already requires it in the clean pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
from torch import Tensor
from torch.overrides import TorchFunctionMode

from lightning_comixup.training.derived_tensors import can_watch
from lightning_comixup.training.lightning_internals import is_compiled


class GradientFlags:
    """Lets a step set `requires_grad = True` on a view of the inputs, as audio models of transformers do.

    Without the callback that view is a leaf. In the clean pass it is not, and PyTorch does not allow setting the flag
    of such a tensor, even to its current value. The first clean pass of a run shows whether a step needs this.
    """

    def __init__(self) -> None:
        """Start with nothing known about the step."""
        self._is_needed: bool | None = None

    @contextmanager
    def settable(self, module: pl.LightningModule) -> Iterator[None]:
        """Within the context, skip assignments that would not change a flag."""
        is_needed = self._is_needed
        if is_needed is None:
            is_needed = can_watch(module, is_compiled=is_compiled(module))
        if not is_needed:
            yield
            return
        with _SettableFlags() as flags:
            yield
        self._is_needed = flags.were_set


class _SettableFlags(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.were_set = False

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a PyTorch function, unless it sets a flag that is already set."""
        is_setter = getattr(func, "__name__", "") == "__set__" and func.__self__ is Tensor.requires_grad
        if is_setter and args[1] is True and args[0].requires_grad and not args[0].is_leaf:
            self.were_set = True
            return None
        return func(*args, **(kwargs or {}))
