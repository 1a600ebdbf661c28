"""One training step up to `training_step`: clean pass, plan, mixing, and the batch with its parts replaced."""

from __future__ import annotations

import time
import warnings
from functools import partial
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.profilers import Profiler
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor

from lightning_comixup.functional import MixedBatch
from lightning_comixup.method.channels import channel_advice, channels_first, restore_channels
from lightning_comixup.method.grid import check_grid, resolve_grid
from lightning_comixup.method.mixing import MixingIndices, mix_inputs, mix_targets
from lightning_comixup.planning import BatchPlan, NonFiniteSaliencyError, plan_batch
from lightning_comixup.soft_targets.targets import TargetRows, target_rows
from lightning_comixup.training.averaged_parts import average_rows
from lightning_comixup.training.batch import with_part
from lightning_comixup.training.batch_reader import BatchParts
from lightning_comixup.training.clean_pass import CleanPass, run_clean_pass
from lightning_comixup.training.config import MixingConfig
from lightning_comixup.training.lightning_internals import makes_containers
from lightning_comixup.training.seeding import BatchDraws
from lightning_comixup.validation import check_device, check_saliency

# Losses and metrics that want integers raise these; the errors of PyTorch and torchmetrics do not name the cause.
_ERRORS_OF_TARGETS = (IndexError, RuntimeError, TypeError, ValueError)
_HINT = (
    "CoMixup mixed this batch: its targets are class probabilities (B, K). If a loss or a metric refuses them: "
    "comixup_loss of CoMixupMixin and torch's cross_entropy take them, and so does the metric SoftTargetAccuracy; "
    "CoMixup.clean_targets has the integers of the clean batch."
)


class MixedStep(NamedTuple):
    """A training batch before and after mixing."""

    batch: Any  # for `training_step`
    clean: CleanPass | None  # None with a saliency of the user's own and clean_weight = 0
    clean_inputs: Tensor  # (B, C, *spatial), as those of `mixed`
    clean_targets: Tensor
    saliency: Tensor
    mixed: tuple[Tensor, Tensor] | None  # inputs and targets; None if the batch was left unmixed
    plan: BatchPlan | None  # None in that case as well
    milliseconds: dict[str, float]  # of each phase, on the host

    def mixed_batch(self) -> MixedBatch:
        """Return the mixed batch as `comixup_batch` does; the step must be mixed."""
        assert self.mixed is not None
        assert self.plan is not None
        return MixedBatch(*self.mixed, self.plan.indices.mixing_weights, self.plan.masks())


def mix_training_batch(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    batch: Any,
    parts: BatchParts,
    config: MixingConfig,
    draws: BatchDraws,
) -> MixedStep:
    """Run the clean pass on a batch, of which the parts were read, and mix it.

    A list, dict or dataclass that belongs to the loop is changed in place, but never its tensors; other containers, and
    tuples, are replaced.
    """
    phases = _Phases(trainer.profiler)  # type: ignore[attr-defined]
    inputs, targets = parts[:2]
    with phases.time("saliency"):
        clean, saliency = _find_saliency(trainer, module, inputs, targets, config)
    rows = _target_rows(targets, clean, config)
    averaged, check = average_rows(parts.averaged, rows, config)
    advice = channel_advice(tuple(inputs.shape), config.channel_dim)
    inputs, *others = (channels_first(part, config.channel_dim) for part in (inputs, *parts.others))
    grid_size, spatial = config.hyperparameters.grid_size, tuple(inputs.shape[2:])
    grid = resolve_grid(grid_size, spatial, partial(draws.decisions, "grid"), advice)
    for other in others:
        check_grid(grid, tuple(other.shape[2:]), "also_mix")
    try:
        with phases.time("labeling"):
            plan = plan_batch(saliency, config.hyperparameters, draws.masks(), grid, check)
    except NonFiniteSaliencyError as error:
        clean = _without_mixing(trainer, clean, config, error)
        return MixedStep(batch, clean, inputs, targets, saliency, None, None, phases.milliseconds)
    with phases.time("mixing"), torch.no_grad():
        mixed = mix_inputs(inputs, plan.indices), mix_targets(rows.rows, plan.indices)
        in_place = makes_containers(trainer, module)
        parts = parts._replace(others=others, averaged=averaged)
        batch = _replace_parts(batch, parts, mixed, plan.indices, config, in_place)
    return MixedStep(batch, clean, inputs, targets, saliency, mixed, plan, phases.milliseconds)


class _Phases:
    """Times the phases of a step, for Lightning's profiler by name and for the log: `with phases.time(name)`."""

    def __init__(self, profiler: Profiler) -> None:
        self._profiler = profiler
        self.milliseconds: dict[str, float] = {}

    def time(self, name: str) -> _Phases:
        self._name = name
        return self

    def __enter__(self) -> None:
        self._start = time.perf_counter()
        self._profiler.start(f"[CoMixup].{self._name}")

    def __exit__(self, *_: object) -> None:
        self._profiler.stop(f"[CoMixup].{self._name}")
        self.milliseconds[self._name] = 1e3 * (time.perf_counter() - self._start)


def _find_saliency(
    trainer: pl.Trainer, module: pl.LightningModule, inputs: Tensor, targets: Tensor, config: MixingConfig
) -> tuple[CleanPass | None, Tensor]:
    """Return the clean pass, if one is needed, and the saliency: that of the clean pass or the user's."""
    clean = None
    if config.saliency is None or config.clean_weight > 0:
        clean = run_clean_pass(
            trainer,
            module,
            inputs,
            targets,
            clean_weight=config.clean_weight,
            clean_gradient=config.clean_gradient,
            with_saliency=config.saliency is None,
            channel_dim=config.channel_dim,
        )
    if config.saliency is None:
        assert clean is not None
        assert clean.saliency is not None
        return clean, clean.saliency
    with trainer.precision_plugin.forward_context(), torch.enable_grad():
        saliency = config.saliency(module, inputs, targets)
    check_saliency(saliency, channels_first(inputs, config.channel_dim))
    check_device("saliency", saliency, inputs)
    return clean, saliency.detach()


def _target_rows(targets: Tensor, clean: CleanPass | None, config: MixingConfig) -> TargetRows:
    """Return the targets that are averaged: class probabilities, or with `linear_targets` the targets as they are."""
    if config.linear_targets:
        return TargetRows(targets, None)
    return target_rows(targets, _number_of_classes(targets, clean, config.num_classes))


def _number_of_classes(targets: Tensor, clean: CleanPass | None, given: int | None) -> int | None:
    """Return K as it was given, or for integer targets the number of logits.

    Raises:
        ValueError: If they disagree.
    """
    if targets.ndim != 1 or clean is None or clean.logits is None:
        return given
    classes = clean.logits.shape[1]
    if given not in (None, classes):
        raise ValueError(
            f"num_classes must be the number of the module's logits, {classes}, found {given}. Leave num_classes out, "
            "or give the module as many outputs."
        )
    return classes


def _replace_parts(
    batch: Any,
    parts: BatchParts,
    mixed: tuple[Tensor, Tensor],
    indices: MixingIndices,
    config: MixingConfig,
    in_place: bool,
) -> Any:
    """Return the batch with all its mixed parts; the other inputs come with their channels first."""
    inputs = [mixed[0], *(mix_inputs(part, indices) for part in parts.others)]
    inputs = [restore_channels(part, config.channel_dim) for part in inputs]
    new = list(zip((*parts.keys, *config.also_mix), (inputs[0], mixed[1], *inputs[1:]), strict=True))
    new += [(key, mix_targets(part, indices)) for key, part in zip(config.also_average, parts.averaged, strict=True)]
    for key, value in new:
        batch = with_part(batch, key, value, in_place=in_place)
    return batch


def _without_mixing(
    trainer: pl.Trainer, clean: CleanPass | None, config: MixingConfig, error: NonFiniteSaliencyError
) -> CleanPass | None:
    """Return the clean pass of a batch that stays unmixed because its saliency is not finite, or raise the error.

    Under a GradScaler an overflow of the backward, with a finite loss, is part of finding the scale: the clean
    gradient, which overflowed as well, stays so that the scaler sees it and skips the step. Otherwise it would poison
    the parameters and is dropped.
    """
    scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
    if scaled and clean is not None and bool(clean.loss.isfinite()):
        return clean
    if config.on_nonfinite == "raise":
        raise error
    rank = trainer.global_rank  # each rank has its own saliency, so each rank warns
    warnings.warn(
        f"CoMixup: saliency must be finite, found NaN or infinity: rank {rank} leaves this batch unmixed. If it goes "
        "on, find the cause with torch.autograd.set_detect_anomaly.",
        stacklevel=2,
    )
    return None if clean is None else clean._replace(gradient=None)


def add_soft_target_hint(exception: BaseException, clean_targets: Any) -> None:
    """Add a hint to an error in a step on a mixed batch whose own targets were integers.

    Args:
        exception: The exception that ended the run. From Python 3.11 on the hint is printed below it; before that it is
            logged.
        clean_targets: The batch's own targets; None if it was not mixed.
    """
    had_integers = isinstance(clean_targets, Tensor) and not clean_targets.is_floating_point()
    if not had_integers or not isinstance(exception, _ERRORS_OF_TARGETS):
        return
    if hasattr(exception, "add_note"):
        exception.add_note(_HINT)
    else:
        rank_zero_info(_HINT)
