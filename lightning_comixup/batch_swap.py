"""Handing another batch to `training_step` than the one that the loop holds, for batches that cannot be changed."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.strategies import Strategy


class BatchSwap:
    """Wraps the `training_step` of one strategy instance while a fit runs.

    Lightning ignores what a callback returns, and a tuple cannot be changed in place; what the strategy hands on is the
    one place that every kind of step passes.
    """

    def __init__(self) -> None:
        """Start with nothing wrapped."""
        self._strategy: Strategy | None = None
        self._earlier: dict[str, Any] = {}
        self._pending: tuple[Any, Any] | None = None  # (the batch the loop holds, the batch to hand on)

    def install(self, strategy: Strategy) -> None:
        """Wrap the strategy's `training_step` until `remove`."""
        self.remove()
        original = strategy.training_step

        def training_step(*args: Any, **kwargs: Any) -> Any:
            pending, self._pending = self._pending, None
            if pending is not None and args and args[0] is pending[0]:
                args = (pending[1], *args[1:])
            return original(*args, **kwargs)

        # Another tool may have wrapped this instance already.
        self._earlier = {name: value for name, value in vars(strategy).items() if name == "training_step"}
        vars(strategy)["training_step"] = training_step
        self._strategy = strategy

    def replace(self, held: Any, mixed: Any) -> None:
        """Hand on `mixed` the next time that `held` comes; nothing to do where they are the same object."""
        self._pending = None if mixed is held else (held, mixed)

    def remove(self) -> None:
        """Unwrap the strategy; forget what was pending. Safe to call at any time."""
        if self._strategy is not None:
            own = vars(self._strategy)
            own.pop("training_step", None)
            own.update(self._earlier)
        self._strategy = None
        self._pending = None
