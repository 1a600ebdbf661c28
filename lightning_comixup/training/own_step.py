"""Calling the module's own `training_step` on the clean batch without its usual side effects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.loggers.logger import DummyLogger
from lightning.pytorch.utilities.signature_utils import is_param_in_hook_signature
from torch import Tensor

from lightning_comixup.training.lightning_internals import call_module

# Everything a step logs or prints would appear twice. All of these methods are replaced by a single function, since a
# compiled step depends on its identity.
_MUTED = ("log", "log_dict", "print")


def _ignore(*_: Any, **__: Any) -> None:
    """Do nothing."""


def call_own_step(trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int) -> Tensor | None:
    """Return the loss of the module's `training_step`, called as Lightning calls it; nothing is logged.

    Args:
        trainer: The Trainer.
        module: The module, called itself and not its distributed wrapper.
        batch: A batch whose containers the call may change.
        batch_idx: Its index.

    Returns:
        The loss, or None if the step returned no loss in order to skip the batch.

    Raises:
        TypeError: If the step returns anything other than a loss.
    """
    takes_index = is_param_in_hook_signature(module.training_step, "batch_idx", min_args=2)
    arguments = (batch, batch_idx) if takes_index else (batch,)
    with muted(trainer, module):
        output = call_module(trainer.strategy, module, "training_step", *arguments)
    loss = output.get("loss") if isinstance(output, Mapping) else output
    if loss is None or isinstance(loss, Tensor):
        return loss
    raise TypeError(
        "training_step must return a loss, a dict with the key 'loss', or None, found "
        f"{type(output).__name__}. Return the loss as a tensor."
    )


@contextmanager
def muted(trainer: pl.Trainer, module: pl.LightningModule) -> Iterator[None]:
    """Mute the logging and printing of a step: `self.log`, `self.log_dict`, `self.print` and the loggers themselves."""
    own = vars(module)
    earlier = {name: own[name] for name in _MUTED if name in own}
    loggers = trainer.loggers
    try:
        own.update(dict.fromkeys(_MUTED, _ignore))
        if loggers:
            trainer.loggers = [DummyLogger() for _ in loggers]
        yield
    finally:
        for name in _MUTED:
            del own[name]
        own.update(earlier)
        if loggers:
            trainer.loggers = loggers
