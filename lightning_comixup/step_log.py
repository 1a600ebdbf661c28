"""What is logged of a step."""

from __future__ import annotations

import lightning.pytorch as pl
import torch
from torch import Tensor

from lightning_comixup.metrics import predicted_mass
from lightning_comixup.training_batch import MixedStep

_PREFIX = "comixup/"


def is_logged(trainer: pl.Trainer, is_first: bool, prob: float) -> bool:
    """Whether to log a step that is mixed.

    Loggers record one step in `log_every_n_steps`, and to log the others, too, would take Lightning as long as to mix
    them. The run's first and last, and each epoch's last, are for what reads `trainer.callback_metrics`. Where only a
    share of the steps is mixed all of them are logged: the recorded ones then have what was logged last.
    """
    if trainer.barebones:
        return False
    is_last = trainer.is_last_batch or 0 < trainer.max_steps <= trainer.global_step + 1
    # So Lightning's own monitors ask, such as DeviceStatsMonitor.
    return is_first or is_last or prob < 1 or trainer._logger_connector.should_update_logs


def step_log(step: MixedStep) -> dict[str, Tensor]:
    """Return names and values to log, tensors where they are known: nothing is copied and nothing waits.

    Of the clean pass: the loss before its weight, and the accuracy, which costs nothing because the logits exist. Of
    the solver: the mean energy of a group, the share of subproblems proven optimal, the mean number of inputs in a
    mixed sample. Of the host's time: milliseconds for saliency, labeling and mixing (on a GPU the labeling's include
    waiting for the saliency).
    """
    values: dict[str, Tensor] = {}
    numbers: dict[str, float] = {f"{phase}_ms": value for phase, value in step.milliseconds.items()}
    if step.clean is not None:
        values["clean_loss"] = step.clean.loss
        logits, targets = step.clean.logits, step.clean_targets
        if logits is not None and targets.shape in (logits.shape, logits.shape[:1]):
            values["clean_accuracy"] = predicted_mass(logits, targets).mean()
    if step.plan is not None:
        report = step.plan.report
        numbers["energy"] = report.energy
        numbers["inputs_per_output"] = report.inputs_per_output
        numbers["proven_share"] = report.proven / max(report.subproblems, 1)
    # Tensors on the host: a float Lightning would copy to the device, and for the logger back, and wait each time.
    values |= {name: torch.tensor(number, dtype=torch.float32, device="cpu") for name, number in numbers.items()}
    return {_PREFIX + name: value for name, value in values.items()}
