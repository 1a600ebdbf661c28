"""The reference: a client's run with the callback, recorded, and the same training written by hand without it."""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import BaseFinetuning
from lightning.pytorch.utilities.model_helpers import is_overridden
from lightning_utilities.core import rank_zero
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from lightning_comixup import CoMixup
from tests.clients.base import Client, Score

SEED = 7
EPOCHS = 2


@dataclass
class Step:
    """One training batch: as the loop had it, and as the last call of `training_step` got it."""

    epoch: int
    index: int
    clean: Any
    mixed: Any = None


@dataclass
class Run:
    """A training in a Trainer, recorded."""

    module: pl.LightningModule
    initial: pl.LightningModule
    trainer: pl.Trainer
    steps: list[Step] = field(default_factory=list)
    clean_calls: int = 0  # of `training_step` with inputs that require a gradient
    error: BaseException | None = None
    said: list[str] = field(default_factory=list)  # warnings and notices

    @property
    def error_text(self) -> str:
        """The error with its notes."""
        return "\n".join([str(self.error), *getattr(self.error, "__notes__", [])])


class _Observer(pl.Callback):
    """Notes each batch before CoMixup sees it, after all transfers."""

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
    """Wrap the module's `training_step`, so that it notes the batches of its mixed calls."""
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
    """Note warnings and notices instead of showing them."""
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
    """Train a client, with the callback or without; an error is kept, not raised."""
    torch.manual_seed(SEED)
    module = client.make_module()
    steps: list[Step] = []
    callbacks = [*client.callbacks(), _Observer(steps)]
    settings: dict[str, Any] = {"max_epochs": EPOCHS, "num_sanity_val_steps": 0, "log_every_n_steps": 1}
    for name in ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"):
        settings[name] = False
    said: list[str] = []
    with _listening(said):
        if with_callback:
            callbacks.append(CoMixup(seed=0, **client.settings))
        trainer = pl.Trainer(accelerator="cpu", callbacks=callbacks, **(settings | client.trainer))
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
    validation = client.make_loader() if is_overridden("validation_step", run.module) else None
    run.trainer.fit(run.module, data, validation)


class _MetricSpy(nn.Module):
    """Stands in for a metric by hand: notes what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, bool, tuple[Any, ...]]] = []  # epoch, whether of the clean batch, arguments
        self.epoch, self.is_clean = 0, True

    def forward(self, *arguments: Any, **_: Any) -> Tensor:
        self.calls.append((self.epoch, self.is_clean, arguments))
        return torch.zeros(())

    update = forward

    def compute(self) -> Tensor:
        return torch.zeros(())

    def reset(self) -> None:
        """There is nothing to reset."""


def _spy_on_metrics(module: nn.Module, prefix: str = "") -> dict[str, _MetricSpy]:
    """Replace every metric and collection in a module, and return the stand-ins by their attribute paths."""
    spies: dict[str, _MetricSpy] = {}
    for name, child in module.named_children():
        if isinstance(child, Metric | MetricCollection):
            spies[prefix + name] = module._modules[name] = _MetricSpy()
        else:
            spies |= _spy_on_metrics(child, f"{prefix}{name}.")
    return spies


class Replay:
    """A client's training by hand, on the clean and mixed batches of a run: no Trainer, no callback."""

    def __init__(self, client: Client, run: Run) -> None:
        """Train."""
        self.client = client
        self.module: Any = copy.deepcopy(run.initial)
        self.module.log = self.module.log_dict = lambda *_, **__: None
        self.spies = _spy_on_metrics(self.module)
        self.losses: list[tuple[int, float]] = []  # epoch and mixed loss
        self._finetuning = [c for c in client.callbacks() if isinstance(c, BaseFinetuning)]
        for callback in self._finetuning:
            callback.freeze_before_training(self.module)
        self.optimizers, self._schedulers = _optimizers(self.module)
        torch.manual_seed(SEED)
        for epoch in range(EPOCHS):
            self._train_epoch(epoch, [step for step in run.steps if step.epoch == epoch])

    def _train_epoch(self, epoch: int, steps: list[Step]) -> None:
        for callback in self._finetuning:
            callback.finetune_function(self.module, epoch, self.optimizers[0])
        self.module.on_train_epoch_start()
        for step in steps:
            if self.client.hand_step is not None:
                loss = self.client.hand_step(self.module, self.optimizers, step.clean, step.mixed, step.index)
                self.losses.append((epoch, float(loss)))
            else:
                self._train_batch(step, is_last=step is steps[-1])
            self.module.on_train_batch_end(None, step.mixed, step.index)
        self.module.on_train_epoch_end()
        for scheduler, interval in self._schedulers:
            if interval == "epoch":
                scheduler.step()

    def _train_batch(self, step: Step, is_last: bool) -> None:
        """Clean backward, mixed backward on top, step."""
        [optimizer] = self.optimizers
        accumulate = self.client.trainer.get("accumulate_grad_batches", 1)
        if step.index % accumulate == 0:
            optimizer.zero_grad()
        for is_clean, batch in ((True, step.clean), (False, step.mixed)):
            loss = self._loss(batch, step, is_clean)
            if loss is not None:
                (loss if accumulate == 1 else loss / accumulate).backward()
                if not is_clean:
                    self.losses.append((step.epoch, float(loss)))
        if (step.index + 1) % accumulate == 0 or is_last:
            clip = self.client.trainer.get("gradient_clip_val")
            if clip is not None:
                parameters = [p for group in optimizer.param_groups for p in group["params"]]
                torch.nn.utils.clip_grad_norm_(parameters, clip)
            optimizer.step()
            for scheduler, interval in self._schedulers:
                if interval == "step":
                    scheduler.step()

    def _loss(self, batch: Any, step: Step, is_clean: bool) -> Any:
        """Return the loss that `training_step` returns for a batch, or None."""
        for spy in self.spies.values():
            spy.epoch, spy.is_clean = step.epoch, is_clean
        takes_index = len(signature(self.module.training_step).parameters) > 1
        mixed_precision = self.client.trainer.get("precision") == "bf16-mixed"
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed_precision):
            output = self.module.training_step(batch, *([step.index] if takes_index else []))
        return output["loss"] if isinstance(output, Mapping) else output

    def score(self, score: Score) -> float:
        """Return a score of the clean batches of the last epoch."""
        calls = [call for epoch, is_clean, call in self.spies[score.metric].calls if is_clean and epoch == EPOCHS - 1]
        predictions, targets = (torch.cat([call[part].detach() for call in calls]) for part in (0, 1))
        return float(score.by_hand(predictions, targets))

    def loss(self) -> float:
        """Return the mean of the mixed losses of the last epoch."""
        last = [loss for epoch, loss in self.losses if epoch == EPOCHS - 1]
        return sum(last) / len(last)

    def difference(self, module: nn.Module) -> float:
        """Return the largest absolute difference to a module's parameters and buffers; NaN counts as infinite."""
        pairs = zip(self.module.state_dict().values(), module.state_dict().values(), strict=True)
        gaps = [float((a.double() - b.double()).abs().max()) for a, b in pairs if a.numel()]
        return max(float("inf") if gap != gap else gap for gap in gaps)


def _optimizers(module: Any) -> tuple[list[Any], list[tuple[Any, str]]]:
    """Return the module's optimizers, and its schedulers with their intervals."""
    configured = module.configure_optimizers()
    if isinstance(configured, Mapping):
        found = configured.get("lr_scheduler")
        found = {"scheduler": found} if found is not None and not isinstance(found, Mapping) else found
        return [configured["optimizer"]], [] if found is None else [_with_interval(found)]
    if isinstance(configured, tuple):
        return list(configured[0]), [(scheduler, "epoch") for scheduler in configured[1]]
    return (configured if isinstance(configured, list) else [configured]), []


def _with_interval(scheduler: Mapping[str, Any]) -> tuple[Any, str]:
    return scheduler["scheduler"], scheduler.get("interval", "epoch")


def is_mixed(client: Client, step: Step) -> bool:
    """Whether a batch's inputs are other than the clean ones, and its targets floating and soft."""
    inputs, targets = client.inputs(step.mixed), client.targets(step.mixed)
    if torch.equal(inputs, client.inputs(step.clean)) or not targets.is_floating_point():
        return False
    clean = client.targets(step.clean)
    if clean.is_floating_point() and not bool(((clean == 0) | (clean == 1)).all()):
        return not torch.equal(targets, clean)
    return bool(((targets > 0) & (targets < 1)).any())
