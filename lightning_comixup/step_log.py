"""What is logged of a step."""

from __future__ import annotations

from torch import Tensor

from lightning_comixup.metrics import predicted_mass
from lightning_comixup.training_batch import MixedStep

_PREFIX = "comixup/"


def step_log(step: MixedStep) -> dict[str, Tensor | float]:
    """Return names and values to log: tensors stay on their device, so that nothing waits for them.

    Of the clean pass: the loss before its weight, and the accuracy, which costs nothing because the logits exist. Of
    the solver: the mean energy of a group, the share of subproblems proven optimal, the mean number of inputs in a
    mixed sample. Of the host's time: milliseconds for saliency, labeling and mixing (on a GPU the labeling's include
    waiting for the saliency).
    """
    values: dict[str, Tensor | float] = {}
    if step.clean is not None:
        values["clean_loss"] = step.clean.loss
        logits, targets = step.clean.logits, step.clean_targets
        if logits is not None and targets.shape in (logits.shape, logits.shape[:1]):
            values["clean_accuracy"] = predicted_mass(logits, targets).mean()
    if step.report is not None:
        values["energy"] = step.report.energy
        values["inputs_per_output"] = step.report.inputs_per_output
        values["proven_share"] = step.report.proven / max(step.report.subproblems, 1)
    values |= {f"{phase}_ms": value for phase, value in step.milliseconds.items()}
    return {_PREFIX + name: value for name, value in values.items()}
