"""The part of a step before `training_step`: clean pass, plan, mixing, and replacing the parts of the batch."""

from __future__ import annotations

import time
import warnings
from functools import partial
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.profilers import Profiler
from torch import Tensor

from lightning_comixup.functional import MixedBatch
from lightning_comixup.method.channels import channel_advice, channels_first, restore_channels
from lightning_comixup.method.grid import check_grid, resolve_grid
from lightning_comixup.method.groups import Groups, draw_groups
from lightning_comixup.method.mixing import mix_inputs, mix_targets
from lightning_comixup.method.transfer import copy_to_host
from lightning_comixup.planning import BatchPlan, NonFiniteSaliencyError, plan_batch
from lightning_comixup.soft_targets.targets import flatten_labels
from lightning_comixup.training.averaged_parts import average_rows
from lightning_comixup.training.batch_reader import CleanBatch
from lightning_comixup.training.batch_rows import take_rows
from lightning_comixup.training.clean_pass import CleanPass, run_clean_pass, show_target_kinds
from lightning_comixup.training.config import MixingConfig
from lightning_comixup.training.lightning_internals import makes_containers
from lightning_comixup.training.mixed_pass import MixedTargets
from lightning_comixup.training.run_state import RunState
from lightning_comixup.training.seeding import BatchDraws
from lightning_comixup.training.target_kind import find_target_kinds, target_values
from lightning_comixup.training.users_saliency import call_users_saliency
from lightning_comixup.validation import DeferredCheck, combine_checks

# A row counts as one-hot if its largest share is at least this, to allow for rounding.
_ONE_HOT = 0.999


class MixedStep(NamedTuple):
    """A training batch before and after mixing."""

    batch: Any  # for `training_step`
    clean_pass: CleanPass | None  # None if neither the saliency nor clean_weight needs it
    clean: CleanBatch
    groups: Groups
    saliency: Tensor | None  # of the mixed groups; None if there are none
    mixed_inputs: Tensor | None  # (B, C, *spatial); None if the batch was left unmixed
    targets: MixedTargets
    plan: BatchPlan | None  # None if the batch was left unmixed
    channel_dim: int | None
    milliseconds: dict[str, float]  # of each phase, on the host

    def mixed_batch(self) -> MixedBatch:
        """Return the mixed batch like `comixup_batch`. The step must be mixed."""
        assert self.mixed_inputs is not None
        assert self.plan is not None
        weights = self.plan.indices.mixing_weights
        return MixedBatch(self.mixed_inputs, self.targets.mixed[0], weights, self.plan.masks())


def mix_training_batch(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    clean: CleanBatch,
    config: MixingConfig,
    draws: BatchDraws,
    run: RunState,
) -> MixedStep | None:
    """Run the clean pass on a batch and mix it, or only the groups that are drawn.

    A list, dict or dataclass that belongs to the loop is changed in place, but never its tensors. Tuples and other
    containers are replaced.

    Returns:
        The step, or None if nothing changes because no group was drawn and there is no clean loss.
    """
    size = config.hyperparameters.partition_size
    groups = draw_groups(len(clean.parts.inputs), size, config.mixed_share, partial(draws.decisions, "groups"))
    if not groups.mixed and config.clean_weight == 0:
        return None
    phases = _Phases(trainer.profiler)  # type: ignore[attr-defined]
    in_place = makes_containers(trainer, module)
    with phases.time("saliency"):
        found = _find_saliency(trainer, module, clean, groups, config, run)
    clean_pass, saliency = found or (None, None)
    targets = MixedTargets(clean.targets(), clean.targets(), clean.unnamed_labels(), None)
    unmixed = MixedStep(
        clean.batch, clean_pass, clean, groups, saliency, None, targets, None, config.channel_dim, phases.milliseconds
    )
    if found is None:  # the step skips this batch
        return unmixed
    rows, check = _target_rows(clean, run, config)
    plan = None
    try:
        with phases.time("labeling"):
            if saliency is not None:
                grid = _choose_grid(clean, config, draws)
                plan = plan_batch(saliency, config.hyperparameters, draws.masks(), grid, check, groups)
            elif check is not None:
                check.check(*copy_to_host(check.numbers))
    except NonFiniteSaliencyError as error:
        clean_pass = _without_mixing(trainer, clean_pass, config, error)
    if plan is None:
        # The step still gets rows of class probabilities, since its loss may accept nothing else.
        batch = clean.with_parts(clean.inputs(), rows, config, in_place=in_place)
        return unmixed._replace(batch=batch, clean_pass=clean_pass, targets=targets._replace(mixed=rows))
    with phases.time("mixing"), torch.no_grad():
        inputs = [mix_inputs(channels_first(part, config.channel_dim), plan.indices) for part in clean.inputs()]
        mixed = [mix_targets(part, plan.indices) for part in rows]
        restored = [restore_channels(part, config.channel_dim) for part in inputs]
        batch = clean.with_parts(restored, mixed, config, in_place=in_place)
    targets = targets._replace(mixed=mixed, dominant_input=plan.indices.sources[:, 0])
    return unmixed._replace(batch=batch, mixed_inputs=inputs[0], targets=targets, plan=plan)


class _Phases:
    """Times the phases of a step for Lightning's profiler and for the log: `with phases.time(name)`."""

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
    trainer: pl.Trainer,
    module: pl.LightningModule,
    clean: CleanBatch,
    groups: Groups,
    config: MixingConfig,
    run: RunState,
) -> tuple[CleanPass | None, Tensor | None] | None:
    """Return the clean pass, if one is needed, and the saliency of the mixed groups, from that pass or the user.

    Without a clean loss the pass covers only these groups. The saliency is None if no group is mixed. The whole result
    is None if the step on the clean batch returned no loss.
    """
    clean_pass = saliency = None
    if config.has_saliency_of_clean_pass or config.clean_weight > 0:
        part = None if config.clean_weight > 0 else take_rows(clean, groups, config)
        clean_pass = run_clean_pass(trainer, module, part or clean, config, run)
        if clean_pass is None:
            return None
        run.target_kinds, saliency = clean_pass.target_kinds, clean_pass.saliency
        if saliency is not None and part is None and groups.mixed:
            saliency = groups.take(saliency)
    elif run.target_kinds is None and not show_target_kinds(trainer, module, clean, config, run):
        return None
    if not groups.mixed:
        return clean_pass, None
    if config.saliency is not None and not config.has_saliency_of_clean_pass:
        inputs, targets = groups.take(clean.parts.inputs), groups.take(flatten_labels(clean.parts.targets))
        saliency = call_users_saliency(trainer, module, config.saliency, inputs, targets, config.channel_dim)
    return clean_pass, saliency


def _target_rows(clean: CleanBatch, run: RunState, config: MixingConfig) -> tuple[list[Tensor], DeferredCheck | None]:
    """Return the rows to average for the targets and each part of `also_average`, and one check of all values."""
    if run.target_kinds is None:  # there was no clean pass
        run.target_kinds = find_target_kinds(clean.targets(), [()] * len(clean.targets()), config)
    kind = run.target_kinds[0]
    targets = target_values(clean.parts.targets, kind)
    averaged, check = average_rows(clean.parts.averaged, targets, run.target_kinds, config)
    if not run.has_watched_step and not kind.linear and clean.parts.targets.is_floating_point():
        check = combine_checks(check, _soft_check(targets.rows, run))
    return [targets.rows, *averaged], check


def _soft_check(rows: Tensor, run: RunState) -> DeferredCheck:
    """Return a check that logs once if class probabilities are already soft in the batch."""

    def check(lowest: Any) -> None:
        if lowest < _ONE_HOT:
            run.say(
                "CoMixup: the targets of this run are class probabilities that are not one-hot. If the data loader "
                "already mixes (MixUp or CutMix in a collate function), batches are mixed twice: remove one of them."
            )

    return DeferredCheck((rows.amax(1).min(),), check)


def _choose_grid(clean: CleanBatch, config: MixingConfig, draws: BatchDraws) -> tuple[int, ...]:
    sizes = [tuple(channels_first(part, config.channel_dim).shape[2:]) for part in clean.inputs()]
    advice = channel_advice(tuple(clean.parts.inputs.shape), config.channel_dim)
    grid = resolve_grid(config.hyperparameters.grid_size, sizes[0], partial(draws.decisions, "grid"), advice)
    for size in sizes[1:]:
        check_grid(grid, size, "also_mix")
    if config.low_resolution is not None:
        config.low_resolution.check_fits(sizes[0], grid)
    return grid


def _without_mixing(
    trainer: pl.Trainer, clean: CleanPass | None, config: MixingConfig, error: NonFiniteSaliencyError
) -> CleanPass | None:
    """Return the clean pass of a batch that stays unmixed because its saliency is not finite, or raise the error.

    Under a GradScaler, an overflow in the backward despite a finite loss is part of finding the scale. The clean
    gradient, which overflowed as well, is kept so that the scaler sees it and skips the step. In all other cases it is
    dropped, since it would ruin the parameters.
    """
    scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
    if scaled and clean is not None and bool(clean.loss.isfinite()):
        return clean
    if config.on_nonfinite == "raise":
        raise error
    rank = trainer.global_rank  # each rank has its own saliency, so each rank warns
    warnings.warn(
        f"CoMixup: saliency must be finite, found NaN or infinity: rank {rank} leaves this batch unmixed. If this "
        "persists, find the cause with torch.autograd.set_detect_anomaly.",
        stacklevel=2,
    )
    return None if clean is None else clean._replace(gradient=None)
