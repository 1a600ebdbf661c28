"""The reference: a recorded run repeated by hand, without a Trainer or the callback."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from inspect import signature
from typing import Any

import torch
from lightning.pytorch.callbacks import BaseFinetuning
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from tests.clients.base import Client, Score
from tests.clients.record import EPOCHS, SEED, Run, Step


class _MetricSpy(nn.Module):
    """Replaces a metric in the training by hand, and records its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, bool, tuple[Any, ...]]] = []  # epoch, whether the batch is clean, arguments
        self.epoch, self.is_clean = 0, True

    def forward(self, *arguments: Any, **_: Any) -> Tensor:
        self.calls.append((self.epoch, self.is_clean, arguments))
        return torch.zeros(())

    update = forward

    def compute(self) -> Tensor:
        return torch.zeros(())

    def reset(self) -> None:
        """Reset nothing."""


def _spy_on_metrics(module: nn.Module, prefix: str = "") -> dict[str, _MetricSpy]:
    """Replace every metric and collection in a module, and return the replacements by attribute path."""
    spies: dict[str, _MetricSpy] = {}
    for name, child in module.named_children():
        if isinstance(child, Metric | MetricCollection):
            spies[prefix + name] = module._modules[name] = _MetricSpy()
        else:
            spies |= _spy_on_metrics(child, f"{prefix}{name}.")
    return spies


class Replay:
    """A client's training by hand on the clean and mixed batches of a run, without a Trainer or the callback."""

    def __init__(self, client: Client, run: Run) -> None:
        """Train the client."""
        self.client = client
        self.module: Any = copy.deepcopy(run.initial)
        for name in ("log", "log_dict"):
            setattr(self.module, name, lambda *_, **__: None)
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
                self.losses.append((epoch, float(loss.detach())))
            else:
                self._train_batch(step, is_last=step is steps[-1])
            self.module.on_train_batch_end(None, step.mixed, step.index)
        self.module.on_train_epoch_end()
        for scheduler, interval in self._schedulers:
            if interval == "epoch":
                scheduler.step()

    def _train_batch(self, step: Step, is_last: bool) -> None:
        """Add up the gradients of the clean and the mixed batch, and take a step."""
        [optimizer] = self.optimizers
        accumulate = self.client.trainer.get("accumulate_grad_batches", 1)
        if step.index % accumulate == 0:
            optimizer.zero_grad()
        for is_clean, batch in ((True, step.clean), (False, step.mixed)):
            loss = self._loss(batch, step, is_clean)
            if loss is not None:
                (loss if accumulate == 1 else loss / accumulate).backward()
                if not is_clean:
                    self.losses.append((step.epoch, float(loss.detach())))
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
        """Return a score for the clean batches of the last epoch."""
        calls = [call for epoch, is_clean, call in self.spies[score.metric].calls if is_clean and epoch == EPOCHS - 1]
        predictions, targets = (torch.cat([call[part].detach() for call in calls]) for part in (0, 1))
        return float(score.by_hand(predictions, targets))

    def loss(self) -> float:
        """Return the mean of the mixed losses of the last epoch."""
        last = [loss for epoch, loss in self.losses if epoch == EPOCHS - 1]
        return sum(last) / len(last)

    def difference(self, module: nn.Module) -> float:
        """Return the largest absolute difference from a module's parameters and buffers. NaN counts as infinite."""
        pairs = zip(self.module.state_dict().values(), module.state_dict().values(), strict=True)
        gaps = [float((a.double() - b.double()).abs().max()) for a, b in pairs if a.numel()]
        return max(float("inf") if gap != gap else gap for gap in gaps)


def _optimizers(module: Any) -> tuple[list[Any], list[tuple[Any, str]]]:
    """Return the module's optimizers, and its schedulers with their intervals."""
    configured = module.configure_optimizers()
    if isinstance(configured, Mapping):
        found = configured.get("lr_scheduler")
        found = {"scheduler": found} if found is not None and not isinstance(found, Mapping) else found
        # A scheduler that waits for a plateau is ignored, because its patience is longer than the run.
        waits = found is not None and isinstance(found["scheduler"], torch.optim.lr_scheduler.ReduceLROnPlateau)
        return [configured["optimizer"]], [] if found is None or waits else [_with_interval(found)]
    if isinstance(configured, tuple):
        return list(configured[0]), [(scheduler, "epoch") for scheduler in configured[1]]
    return (configured if isinstance(configured, list) else [configured]), []


def _with_interval(scheduler: Mapping[str, Any]) -> tuple[Any, str]:
    return scheduler["scheduler"], scheduler.get("interval", "epoch")
