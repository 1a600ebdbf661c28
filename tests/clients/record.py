"""Record a client's run with or without the callback."""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning_utilities.core import rank_zero
from torch import Tensor

from lightning_comixup import CoMixup
from tests.clients.base import Client

SEED = 7
EPOCHS = 2
LINE = r"tests/clients/\w+\.py:\d+"  # a client's line in an error


@dataclass
class Step:
    """One training batch, as the loop returned it and as the last call of `training_step` received it."""

    epoch: int
    index: int
    clean: Any
    mixed: Any = None


@dataclass
class Run:
    """A recorded training run of a Trainer."""

    module: pl.LightningModule
    initial: pl.LightningModule
    trainer: pl.Trainer
    steps: list[Step] = field(default_factory=list)
    clean_calls: int = 0  # calls of `training_step` with inputs that require a gradient
    error: BaseException | None = None
    said: list[str] = field(default_factory=list)  # warnings and notices

    @property
    def error_text(self) -> str:
        """Return the error with its notes."""
        notes = getattr(self.error, "__notes__", self.said)  # before Python 3.11, notes are logged
        return "\n".join([str(self.error), *notes])


class _Observer(pl.Callback):
    """Records each batch after all transfers and before CoMixup gets it."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.steps.append(Step(trainer.current_epoch, batch_idx, copy.deepcopy(batch)))


def _tensors(batch: Any) -> Iterator[Tensor]:
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, Mapping):
        for part in batch.values():
            yield from _tensors(part)
    elif isinstance(batch, list | tuple):
        for part in batch:
            yield from _tensors(part)
    elif hasattr(batch, "__dict__"):
        yield from _tensors(vars(batch))


def _record(run: Run) -> None:
    """Wrap the module's `training_step` so that it records the batches of the mixed pass."""
    original = run.module.training_step

    @functools.wraps(original)
    def training_step(batch: Any, *rest: Any, **others: Any) -> Any:
        if any(tensor.requires_grad for tensor in _tensors(batch)):
            run.clean_calls += 1
        else:
            run.steps[-1].mixed = copy.deepcopy(batch)
        return original(batch, *rest, **others)

    run.module.training_step = training_step  # type: ignore[method-assign]


class _Notices(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self.said = said

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextlib.contextmanager
def _listening(said: list[str]) -> Iterator[None]:
    """Record warnings and log messages instead of showing them."""
    handler = _Notices(said)
    rank_zero.log.addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
            said += [str(warning.message) for warning in caught]
    finally:
        rank_zero.log.removeHandler(handler)


def train(client: Client, *, with_callback: bool = True) -> Run:
    """Train a client with or without the callback. An error is recorded instead of raised."""
    steps: list[Step] = []
    callbacks = [*client.callbacks(), _Observer(steps)]
    settings: dict[str, Any] = {"max_epochs": EPOCHS, "num_sanity_val_steps": 0, "log_every_n_steps": 1}
    for name in ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"):
        settings[name] = False
    said: list[str] = []
    with _listening(said):
        torch.manual_seed(SEED)
        module = client.make_module()
        if with_callback:
            callbacks.append(CoMixup(seed=0, **client.settings))
        trainer = client.trainer_class(accelerator="cpu", callbacks=callbacks, **(settings | client.trainer))
        run = Run(module, copy.deepcopy(module), trainer, steps, said=said)
        _record(run)
        torch.manual_seed(SEED)
        try:
            _fit(client, run)
        except Exception as error:
            run.error = error
    return run


def _fit(client: Client, run: Run) -> None:
    data = client.make_loader()
    if isinstance(data, pl.LightningDataModule):
        run.trainer.fit(run.module, datamodule=data)
        return
    [base] = [kind for kind in type(run.module).__mro__ if kind.__name__ == "LightningModule"]
    validation = client.make_loader() if is_overridden("validation_step", run.module, base) else None
    run.trainer.fit(run.module, data, validation)


def is_mixed(client: Client, step: Step) -> bool:
    """Return whether a batch's inputs differ from the clean ones and its targets are soft."""
    inputs, targets = client.inputs(step.mixed), client.targets(step.mixed)
    if torch.equal(inputs, client.inputs(step.clean)) or not targets.is_floating_point():
        return False
    clean = client.targets(step.clean)
    if clean.is_floating_point() and not bool(((clean == 0) | (clean == 1)).all()):
        return not torch.equal(targets, clean)
    return bool(((targets > 0) & (targets < 1)).any())
