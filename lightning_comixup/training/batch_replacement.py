"""Giving `training_step` a different batch from the loop's own, for batches that cannot be changed in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightning.pytorch.strategies import Strategy


class BatchReplacement:
    """Wraps the `training_step` of one strategy instance while a fit runs.

    Lightning ignores what a callback returns, and a tuple cannot be changed in place. Every kind of step passes
    through the strategy, so its batch is replaced there.
    """

    def __init__(self) -> None:
        """Start with nothing wrapped."""
        self._strategy: Strategy | None = None
        self._wrapper: Callable[..., Any] | None = None
        self._earlier: dict[str, Any] = {}
        self._pending: tuple[Any, Any] | None = None  # (the loop's batch, the mixed batch)

    def install(self, strategy: Strategy) -> None:
        """Wrap the strategy's `training_step` until `remove`."""
        self.remove()
        original = strategy.training_step

        def training_step(*args: Any, **kwargs: Any) -> Any:
            return original(*self._replaced(args), **kwargs)

        # Another tool may have wrapped this instance already.
        self._earlier = {name: value for name, value in vars(strategy).items() if name == "training_step"}
        vars(strategy)["training_step"] = self._wrapper = training_step
        self._strategy = strategy

    def _replaced(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return a step's arguments with its batch replaced, at every call (an optimizer may repeat a step)."""
        if self._pending is None:
            return args
        original, mixed = self._pending
        if not args or args[0] is not original:
            raise RuntimeError(
                "training_step must get the batch that on_train_batch_start got, found another: the mixed batch would "
                "be lost. Something between exchanges it; do that in the data loader or in on_after_batch_transfer."
            )
        return (mixed, *args[1:])

    def replace(self, original: Any, mixed: Any) -> None:
        """Pass `mixed` in place of `original` until `forget`; the same object needs no replacement."""
        self._pending = None if mixed is original else (original, mixed)

    def forget(self) -> None:
        """Pass every batch as it is."""
        self._pending = None

    def remove(self) -> None:
        """Unwrap the strategy and forget the pending batch; this is safe at any time.

        If another tool has wrapped it since, our wrapper stays below that one and passes every batch as it is.
        """
        own = {} if self._strategy is None else vars(self._strategy)
        if own.get("training_step") is self._wrapper and self._wrapper is not None:
            del own["training_step"]
            own.update(self._earlier)
        self._strategy = self._wrapper = None
        self._earlier = {}
        self.forget()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the state of a run out of copies and pickles."""
        return vars(BatchReplacement()).copy()
