"""Handing another batch to `training_step` than the one that the loop holds, for batches that cannot be changed."""

from __future__ import annotations

from collections.abc import Callable
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
        self._wrapper: Callable[..., Any] | None = None
        self._earlier: dict[str, Any] = {}
        self._pending: tuple[Any, Any] | None = None  # (the batch the loop holds, the batch to hand on)

    def install(self, strategy: Strategy) -> None:
        """Wrap the strategy's `training_step` until `remove`."""
        self.remove()
        original = strategy.training_step

        def training_step(*args: Any, **kwargs: Any) -> Any:
            return original(*self._exchanged(args), **kwargs)

        # Another tool may have wrapped this instance already.
        self._earlier = {name: value for name, value in vars(strategy).items() if name == "training_step"}
        vars(strategy)["training_step"] = self._wrapper = training_step
        self._strategy = strategy

    def _exchanged(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return a step's arguments with its batch exchanged, at each of its calls (an optimizer may repeat them)."""
        if self._pending is None:
            return args
        held, mixed = self._pending
        if not args or args[0] is not held:
            raise RuntimeError(
                "training_step must get the batch that on_train_batch_start got, found another: the mixed batch would "
                "be lost. Something between exchanges it; do that in the data loader or in on_after_batch_transfer."
            )
        return (mixed, *args[1:])

    def replace(self, held: Any, mixed: Any) -> None:
        """Hand on `mixed` whenever `held` comes, until `forget`; nothing to do where they are the same object."""
        self._pending = None if mixed is held else (held, mixed)

    def forget(self) -> None:
        """Hand on every batch as it is."""
        self._pending = None

    def remove(self) -> None:
        """Unwrap the strategy; forget what was pending. Safe to call at any time.

        Where another tool has wrapped it since, ours stays below it and passes everything on.
        """
        own = {} if self._strategy is None else vars(self._strategy)
        if own.get("training_step") is self._wrapper and self._wrapper is not None:
            del own["training_step"]
            own.update(self._earlier)
        self._strategy = self._wrapper = None
        self._earlier = {}
        self.forget()

    def __getstate__(self) -> dict[str, Any]:
        """Leave what belongs to a run out of copies and pickles."""
        return vars(BatchSwap()).copy()
