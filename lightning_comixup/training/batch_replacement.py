"""Replacing the batch between the loop and `training_step`, and preparing the module around the step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from lightning.pytorch.strategies import Strategy


class _Pending(NamedTuple):
    """A mixed batch on its way to `training_step`."""

    original: Any  # the loop's batch
    mixed: Any  # the same object, if it was changed in place
    prepare: Callable[[], AbstractContextManager[None]]


class BatchReplacement:
    """Wraps the `training_step` of one strategy instance during a fit.

    Lightning ignores the return value of a callback, and a tuple cannot be changed in place. Every kind of step passes
    through the strategy, so the batch is replaced there.
    """

    def __init__(self) -> None:
        """Start with nothing wrapped."""
        self._strategy: Strategy | None = None
        self._wrapper: Callable[..., Any] | None = None
        self._earlier: dict[str, Any] = {}
        self._pending: _Pending | None = None

    def install(self, strategy: Strategy) -> None:
        """Wrap the strategy's `training_step` until `remove`."""
        self.remove()
        original = strategy.training_step

        def training_step(*args: Any, **kwargs: Any) -> Any:
            if self._pending is None:
                return original(*args, **kwargs)
            with self._pending.prepare():
                return original(*_replaced(args, self._pending), **kwargs)

        # Another tool may have wrapped this instance already.
        self._earlier = {name: value for name, value in vars(strategy).items() if name == "training_step"}
        vars(strategy)["training_step"] = self._wrapper = training_step
        self._strategy = strategy

    def replace(self, original: Any, mixed: Any, prepare: Callable[[], AbstractContextManager[None]]) -> None:
        """Pass `mixed` instead of `original` until `forget`, each time within the context that `prepare` creates."""
        self._pending = _Pending(original, mixed, prepare)

    def forget(self) -> None:
        """Pass every batch unchanged."""
        self._pending = None

    def remove(self) -> None:
        """Unwrap the strategy and forget the pending batch. This is safe at any time.

        If another tool has wrapped it meanwhile, our wrapper stays below that one and passes every batch unchanged.
        """
        own = {} if self._strategy is None else vars(self._strategy)
        if own.get("training_step") is self._wrapper and self._wrapper is not None:
            del own["training_step"]
            own.update(self._earlier)
        self._strategy = self._wrapper = None
        self._earlier = {}
        self.forget()

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the state of a run from copies and pickles."""
        return vars(BatchReplacement()).copy()


def _replaced(args: tuple[Any, ...], pending: _Pending) -> tuple[Any, ...]:
    """Return a step's arguments with the batch replaced at every call, since an optimizer may repeat a step."""
    if pending.mixed is pending.original:
        return args
    if not args or args[0] is not pending.original:
        raise RuntimeError(
            "training_step must get the batch that on_train_batch_start got, found another: the mixed batch would "
            "be lost. Something exchanges it in between. Do that in the data loader or in on_after_batch_transfer."
        )
    return (pending.mixed, *args[1:])
