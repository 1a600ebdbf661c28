"""The metrics to log from a step, and the steps at which to log them."""

from __future__ import annotations

import lightning.pytorch as pl
import torch
from torch import Tensor

from lightning_comixup.soft_targets.metrics import predicted_mass
from lightning_comixup.training.lightning_internals import records_step
from lightning_comixup.training.training_step import MixedStep

_PREFIX = "comixup/"


def should_log(trainer: pl.Trainer, is_first: bool, mixes_every_step: bool) -> bool:
    """Whether to log a mixed step.

    Loggers record one step in `log_every_n_steps`. Logging the others as well would take as long as mixing them. The
    first and last steps of the run and the last step of each epoch are also logged, for readers of
    `trainer.callback_metrics`. If only a share of the steps is mixed, every mixed step is logged, so that a recorded
    step shows the values of the last mixed one.
    """
    if trainer.barebones:
        return False
    is_last = trainer.is_last_batch or 0 < trainer.max_steps <= trainer.global_step + 1
    return is_first or is_last or not mixes_every_step or records_step(trainer)


def step_metrics(step: MixedStep) -> dict[str, Tensor]:
    """Return the names and values to log, as tensors on their own device, without copying or waiting.

    The clean pass provides the loss before its weight, and the accuracy, which costs nothing because the logits exist.
    The solver provides the mean energy of a group, the share of outputs above capacity and the mean number of inputs in
    a mixed sample. The host's clock provides the milliseconds for saliency, labeling and mixing. On a GPU the time of
    the labeling includes the wait for the saliency.
    """
    values: dict[str, Tensor] = {}
    numbers: dict[str, float] = {f"{phase}_ms": value for phase, value in step.milliseconds.items()}
    if step.clean_pass is not None:
        values["clean_loss"] = step.clean_pass.loss
        accuracy = _clean_accuracy(step)
        values |= {} if accuracy is None else {"clean_accuracy": accuracy}
    if step.plan is not None:
        report = step.plan.report
        numbers["energy"] = report.energy
        numbers["inputs_per_output"] = report.inputs_per_output
        numbers["over_capacity_share"] = report.over_capacity_share
    # Tensors on the host, since Lightning would copy a float to the device, and back for the logger, waiting each time.
    values |= {name: torch.tensor(number, dtype=torch.float32, device="cpu") for name, number in numbers.items()}
    return {_PREFIX + name: value for name, value in values.items()}


def _clean_accuracy(step: MixedStep) -> Tensor | None:
    """Return the accuracy on the clean batch, if the module's output is known to be one logit per class."""
    assert step.clean_pass is not None
    logits, targets = step.clean_pass.logits, step.clean_pass.targets
    if logits is None or step.clean_pass.target_kinds[0].linear:
        return None
    fits = targets.shape in (logits.shape, logits.shape[:1]) and logits.shape[1] == step.targets.mixed[0].shape[1]
    return predicted_mass(logits, targets).mean() if fits else None
