"""One training batch: clean pass, plan, mixing, and the batch with its parts replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.profilers import Profiler
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from lightning_comixup.batch_access import BatchKey, get_part, with_part
from lightning_comixup.clean_pass import CleanPass, run_clean_pass
from lightning_comixup.functional import target_rows
from lightning_comixup.grid import resolve_grid
from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.kept_gradients import KeptGradients
from lightning_comixup.mixing import mix_inputs, mix_targets
from lightning_comixup.plan import LabelingReport, NonFiniteSaliencyError, plan_batch
from lightning_comixup.saliency import check_inputs
from lightning_comixup.seeding import BatchDraws


@dataclass(frozen=True)
class MixingSettings:
    """How the callback mixes a batch; see `CoMixup`."""

    hyperparameters: Hyperparameters
    num_classes: int | None
    clean_weight: float
    input_key: BatchKey
    target_key: BatchKey
    on_nonfinite: Literal["raise", "skip"]


class StepMix(NamedTuple):
    """What one training batch becomes."""

    batch: Any
    kept: KeptGradients | None
    report: LabelingReport | None  # None where the batch was left unmixed


def mix_training_batch(
    trainer: pl.Trainer, module: pl.LightningModule, batch: Any, settings: MixingSettings, draws: BatchDraws
) -> StepMix:
    """Run the clean pass on a batch and mix it.

    A list, dict or dataclass is changed in place (the loop's own container), never its tensors; a tuple is replaced.
    """
    profiler: Profiler = trainer.profiler  # type: ignore[attr-defined]
    inputs = get_part(batch, "input_key", settings.input_key)
    targets = get_part(batch, "target_key", settings.target_key)
    check_inputs(inputs)
    with profiler.profile("[CoMixup].saliency"):
        clean = run_clean_pass(trainer, module, inputs, targets, settings.clean_weight)
    rows = target_rows(targets, len(inputs), _class_count(targets, clean, settings))
    grid = resolve_grid(settings.hyperparameters.grid_size, tuple(inputs.shape[2:]), draws.decisions("grid"))
    try:
        with profiler.profile("[CoMixup].labeling"):
            plan = plan_batch(clean.saliency, settings.hyperparameters, draws.masks(), grid)
    except NonFiniteSaliencyError as error:
        return _unmixed(trainer, batch, clean, settings, error)
    with profiler.profile("[CoMixup].mixing"), torch.no_grad():
        batch = with_part(batch, settings.input_key, mix_inputs(inputs, plan.mixing))
        batch = with_part(batch, settings.target_key, mix_targets(rows, plan.mixing))
    return StepMix(batch, clean.kept, plan.report)


def _class_count(targets: Tensor, clean: CleanPass, settings: MixingSettings) -> int | None:
    if settings.num_classes is None and clean.logits is not None and getattr(targets, "ndim", 0) == 1:
        return clean.logits.shape[1]
    return settings.num_classes


def _unmixed(
    trainer: pl.Trainer, batch: Any, clean: CleanPass, settings: MixingSettings, error: NonFiniteSaliencyError
) -> StepMix:
    """Leave a batch with a non-finite saliency as it is, if that may be.

    Under a GradScaler an overflow is part of finding the scale: the clean gradient, which overflowed as well, is kept
    so that the scaler sees it and skips the step. Elsewhere it would poison the parameters and is dropped.
    """
    if getattr(trainer.precision_plugin, "scaler", None) is not None:
        return StepMix(batch, clean.kept, None)
    if settings.on_nonfinite == "raise":
        raise error
    rank_zero_warn("CoMixup: the saliency is NaN or infinite; this batch is left unmixed.", stacklevel=2)
    return StepMix(batch, None, None)
