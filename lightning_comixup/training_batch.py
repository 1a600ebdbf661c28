"""One training batch: clean pass, plan, mixing, and the batch with its parts replaced."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.profilers import Profiler
from torch import Tensor

from lightning_comixup.batch_access import with_part
from lightning_comixup.batch_parts import BatchParts, read_parts
from lightning_comixup.clean_pass import CleanPass, run_clean_pass
from lightning_comixup.functional import MixedBatch
from lightning_comixup.grid import check_grid, resolve_grid
from lightning_comixup.mixing import MixingPlan, mix_inputs, mix_targets
from lightning_comixup.plan import NonFiniteSaliencyError, Plan, plan_batch
from lightning_comixup.seeding import BatchDraws
from lightning_comixup.settings import MixingSettings
from lightning_comixup.strategies import overrides
from lightning_comixup.targets import TargetRows, target_rows
from lightning_comixup.tensor_checks import check_device, check_saliency


@dataclass(frozen=True)
class MixedStep:
    """What one training batch becomes, and what it was."""

    batch: Any  # to hand to `training_step`
    clean: CleanPass | None  # None with a saliency of the user's own and clean_weight = 0
    clean_inputs: Tensor
    clean_targets: Tensor
    saliency: Tensor
    mixed: tuple[Tensor, Tensor] | None  # inputs and targets; None where the batch was left unmixed
    plan: Plan | None  # None there, too
    milliseconds: dict[str, float]  # of the phases, on the host

    def mixed_batch(self) -> MixedBatch:
        """Return the mixed batch as `comixup_batch` does, of a step that is mixed."""
        assert self.mixed is not None
        assert self.plan is not None
        return MixedBatch(*self.mixed, self.plan.mixing.mixing_weights, self.plan.masks())


def mix_training_batch(
    trainer: pl.Trainer, module: pl.LightningModule, batch: Any, settings: MixingSettings, draws: BatchDraws
) -> MixedStep:
    """Run the clean pass on a batch and mix it.

    A list, dict or dataclass is changed in place where it is the loop's own container, never its tensors; others, and
    tuples, are replaced.
    """
    phases = _Phases(trainer.profiler)  # type: ignore[attr-defined]
    parts = read_parts(batch, settings)
    inputs, targets = parts[:2]
    with phases.time("saliency"):
        clean, saliency = _find_saliency(trainer, module, inputs, targets, settings)
    rows, verdict = _target_rows(targets, len(inputs), clean, settings)
    grid = resolve_grid(settings.hyperparameters.grid_size, tuple(inputs.shape[2:]), draws.decisions("grid"))
    for other in parts.others:
        check_grid(grid, tuple(other.shape[2:]), "also_mix")
    try:
        with phases.time("labeling"):
            plan = plan_batch(saliency, settings.hyperparameters, draws.masks(), grid, verdict)
    except NonFiniteSaliencyError as error:
        clean = _without_mixing(trainer, clean, settings, error)
        return MixedStep(batch, clean, inputs, targets, saliency, None, None, phases.milliseconds)
    with phases.time("mixing"), torch.no_grad():
        mixed = mix_inputs(inputs, plan.mixing), mix_targets(rows, plan.mixing)
        in_place = _owns_container(trainer, module)
        batch = _replace_parts(batch, parts, mixed, plan.mixing, settings, in_place)
    return MixedStep(batch, clean, inputs, targets, saliency, mixed, plan, phases.milliseconds)


class _Phases:
    """Times the phases of a step, for Lightning's profiler by name and for the log."""

    def __init__(self, profiler: Profiler) -> None:
        self._profiler = profiler
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        with self._profiler.profile(f"[CoMixup].{name}"):
            yield
        self.milliseconds[name] = 1e3 * (time.perf_counter() - start)


def _find_saliency(
    trainer: pl.Trainer, module: pl.LightningModule, inputs: Tensor, targets: Tensor, settings: MixingSettings
) -> tuple[CleanPass | None, Tensor]:
    """Return the clean pass, where one is needed, and the saliency: its own or the user's."""
    clean = None
    if settings.saliency is None or settings.clean_weight > 0:
        clean = run_clean_pass(
            trainer,
            module,
            inputs,
            targets,
            clean_weight=settings.clean_weight,
            clean_gradient=settings.clean_gradient,
            with_saliency=settings.saliency is None,
        )
    if settings.saliency is None:
        assert clean is not None
        assert clean.saliency is not None
        return clean, clean.saliency
    with trainer.precision_plugin.forward_context(), torch.enable_grad():
        saliency = settings.saliency(module, inputs, targets)
    check_saliency(saliency, inputs)
    check_device("saliency", saliency, inputs)
    return clean, saliency.detach()


def _target_rows(targets: Tensor, batch_size: int, clean: CleanPass | None, settings: MixingSettings) -> TargetRows:
    """Return what is mixed linearly: class probabilities, or with `linear_targets` the targets as they are."""
    if not settings.linear_targets:
        return target_rows(targets, batch_size, _number_of_classes(targets, clean, settings.num_classes))
    return TargetRows(targets, None)


def _number_of_classes(targets: Tensor, clean: CleanPass | None, given: int | None) -> int | None:
    """Return K as it was given, or as the logits tell it for integer targets.

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


def _owns_container(trainer: pl.Trainer, module: pl.LightningModule) -> bool:
    """Whether the batch's containers were made by Lightning's transfer to the device, not by a user's."""
    data_module = getattr(trainer, "datamodule", None)
    return not any(overrides(owner, "transfer_batch_to_device") for owner in (module, data_module))


def _replace_parts(
    batch: Any,
    parts: BatchParts,
    mixed: tuple[Tensor, Tensor],
    plan: MixingPlan,
    settings: MixingSettings,
    in_place: bool,
) -> Any:
    """Return the batch with all its mixed parts."""
    new = list(zip((settings.input_key, settings.target_key), mixed, strict=True))
    new += [(key, mix_inputs(part, plan)) for key, part in zip(settings.also_mix, parts.others, strict=True)]
    new += [(key, mix_targets(part, plan)) for key, part in zip(settings.also_average, parts.averaged, strict=True)]
    for key, value in new:
        batch = with_part(batch, key, value, in_place=in_place)
    return batch


def _without_mixing(
    trainer: pl.Trainer, clean: CleanPass | None, settings: MixingSettings, error: NonFiniteSaliencyError
) -> CleanPass | None:
    """Return the clean pass of a batch that is left as it is because its saliency is not finite, if that may be.

    Under a GradScaler an overflow of the backward, the loss itself being finite, is part of finding the scale: the
    clean gradient, which overflowed as well, is kept so that the scaler sees it and skips the step. Elsewhere it would
    poison the parameters and is dropped.
    """
    scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
    if scaled and clean is not None and bool(clean.loss.isfinite()):
        return clean
    if settings.on_nonfinite == "raise":
        raise error
    rank = trainer.global_rank  # each rank has its own saliency, so each warns of its own
    warnings.warn(
        f"CoMixup: saliency must be finite, found NaN or infinity: rank {rank} leaves this batch unmixed. If it goes "
        "on, find the cause with torch.autograd.set_detect_anomaly.",
        stacklevel=2,
    )
    return None if clean is None else clean._replace(kept=None)
