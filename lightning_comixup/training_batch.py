"""One training batch: clean pass, plan, mixing, and the batch with its parts replaced."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.profilers import Profiler
from torch import Tensor

from lightning_comixup.batch_access import get_part, with_part
from lightning_comixup.clean_pass import CleanPass, run_clean_pass
from lightning_comixup.functional import MixedBatch, check_saliency
from lightning_comixup.grid import resolve_grid
from lightning_comixup.mixing import MixingPlan, mix_inputs, mix_targets
from lightning_comixup.plan import LabelingReport, NonFiniteSaliencyError, plan_batch
from lightning_comixup.saliency import check_inputs
from lightning_comixup.seeding import BatchDraws
from lightning_comixup.settings import MixingSettings
from lightning_comixup.strategies import overrides
from lightning_comixup.targets import TargetRows, target_rows


@dataclass(frozen=True)
class MixedStep:
    """What one training batch becomes, and what it was."""

    batch: Any  # to hand to `training_step`
    clean: CleanPass | None  # None with a saliency of the user's own and clean_weight = 0
    clean_inputs: Tensor
    clean_targets: Tensor
    saliency: Tensor
    mixed: MixedBatch | None  # None where the batch was left unmixed
    report: LabelingReport | None
    milliseconds: dict[str, float] = field(default_factory=dict)  # of the phases, on the host


class _Mixture(NamedTuple):
    inputs: Tensor
    targets: Tensor


def mix_training_batch(
    trainer: pl.Trainer, module: pl.LightningModule, batch: Any, settings: MixingSettings, draws: BatchDraws
) -> MixedStep:
    """Run the clean pass on a batch and mix it.

    A list, dict or dataclass is changed in place where it is the loop's own container, never its tensors; others, and
    tuples, are replaced.
    """
    phases = _Phases(trainer.profiler)  # type: ignore[attr-defined]
    inputs = get_part(batch, "input_key", settings.input_key)
    targets = get_part(batch, "target_key", settings.target_key)
    check_inputs(inputs)
    _check_no_gradient(inputs, targets)
    with phases.time("saliency"):
        clean, saliency = _find_saliency(trainer, module, inputs, targets, settings)
    rows, verdict = _target_rows(targets, len(inputs), clean, settings)
    grid = resolve_grid(settings.hyperparameters.grid_size, tuple(inputs.shape[2:]), draws.decisions("grid"))
    try:
        with phases.time("labeling"):
            plan = plan_batch(saliency, settings.hyperparameters, draws.masks(), grid, verdict)
    except NonFiniteSaliencyError as error:
        clean = _without_mixing(trainer, clean, settings, error)
        return MixedStep(batch, clean, inputs, targets, saliency, None, None, phases.milliseconds)
    with phases.time("mixing"), torch.no_grad():
        mixture = _Mixture(mix_inputs(inputs, plan.mixing), mix_targets(rows, plan.mixing))
        in_place = not any(overrides(hooks, "transfer_batch_to_device") for hooks in (module, _data_module(trainer)))
        batch = _replace_parts(batch, mixture, plan.mixing, settings, in_place)
    mixed = MixedBatch(*mixture, plan.mixing.mixing_weights, plan.masks)
    return MixedStep(batch, clean, inputs, targets, saliency, mixed, plan.report, phases.milliseconds)


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
    return clean, saliency.detach()


def _target_rows(targets: Tensor, batch_size: int, clean: CleanPass | None, settings: MixingSettings) -> TargetRows:
    """Return what is mixed linearly: class probabilities, or with `linear_targets` the targets as they are."""
    if not settings.linear_targets:
        classes = settings.num_classes
        if classes is None and clean is not None and clean.logits is not None and getattr(targets, "ndim", 0) == 1:
            classes = clean.logits.shape[1]
        return target_rows(targets, batch_size, classes)
    if not isinstance(targets, Tensor) or not targets.is_floating_point() or targets.shape[:1] != (batch_size,):
        found = f"{tuple(targets.shape)} of {targets.dtype}" if isinstance(targets, Tensor) else type(targets).__name__
        raise ValueError(
            f"With linear_targets=True targets must be floating with one row per input, found {found} for {batch_size}."
        )
    return TargetRows(targets, None)


def _check_no_gradient(inputs: Tensor, targets: Any) -> None:
    """Check that nothing before the mixing is to be learned: it would get no gradient.

    Raises:
        ValueError: If it is.
    """
    if inputs.requires_grad or getattr(targets, "requires_grad", False):
        raise ValueError(
            "Inputs and targets of a batch must not require a gradient, found some that do: mixing cuts them off from "
            "what they come from. Move a learned on_after_batch_transfer into the module's forward."
        )


def _data_module(trainer: pl.Trainer) -> Any:
    return getattr(trainer, "datamodule", None)


def _replace_parts(batch: Any, mixture: _Mixture, plan: MixingPlan, settings: MixingSettings, in_place: bool) -> Any:
    """Return the batch with all its mixed parts."""
    parts = [(settings.input_key, mixture.inputs), (settings.target_key, mixture.targets)]
    for key in settings.also_mix:
        other = get_part(batch, "also_mix", key)
        check_inputs(other)
        parts.append((key, mix_inputs(other, plan)))
    parts += [(key, mix_targets(get_part(batch, "also_average", key), plan)) for key in settings.also_average]
    for key, value in parts:
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
    warnings.warn(f"CoMixup: the saliency is NaN or infinite; rank {rank} leaves this batch unmixed.", stacklevel=2)
    return None if clean is None else clean._replace(kept=None)
