"""Around `training_step` on a mixed batch: metrics see the clean batch, the first step is watched, errors explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from torch import Tensor

from lightning_comixup.training.derived_tensors import can_watch, storages, uncompiled
from lightning_comixup.training.error_notes import explaining_mixed_targets
from lightning_comixup.training.lightning_internals import is_compiled
from lightning_comixup.training.loss_watch import LossWatch
from lightning_comixup.training.run_state import RunState
from lightning_comixup.training.target_watch import TargetWatch


class MixedTargets(NamedTuple):
    """The targets of a step, before and after mixing: the batch's own, then each part of `also_average`."""

    clean: Sequence[Tensor]
    mixed: Sequence[Tensor]
    labels: Sequence[Tensor]  # integers of the clean batch that nobody named, with one number for each sample
    dominant_input: Tensor | None  # (B,) the input that has most cells of each output; None if nothing was mixed

    def has_classes(self) -> bool:
        """Whether labels became rows of class probabilities."""
        return self.clean[0].shape != self.mixed[0].shape

    def contain(self, tensor: Tensor) -> bool:
        """Whether a tensor is one of them, or a view of one."""
        return bool(storages([tensor]) & storages([*self.mixed, *self.labels]))

    def dominant(self, tensor: Tensor) -> Tensor:
        """Replace mixed targets by those of each output's dominant class or input; other tensors stay."""
        for clean, mixed in zip(self.clean, self.mixed, strict=True):
            if tensor.shape == mixed.shape and storages([tensor]) & storages([mixed]):
                taken = clean if self.dominant_input is None else clean[self.dominant_input]
                if clean.shape == mixed.shape:
                    return taken
                classes = mixed.argmax(1).to(clean.dtype).view(clean.shape)
                has_class = (mixed.amax(1) > 0).view(clean.shape)
                return torch.where(has_class, classes, taken)  # labels that became rows
        return tensor


@contextmanager
def mixed_pass(
    module: pl.LightningModule, targets: MixedTargets, run: RunState, *, expects_cross_entropy: bool
) -> Iterator[None]:
    """Prepare a module for `training_step` on a mixed batch, and leave it as it was.

    Args:
        module: The module.
        targets: Of the step.
        run: The state of the run; its first mixed step is watched.
        expects_cross_entropy: Whether the clean pass took the cross-entropy for granted, so that the step's own loss
            must be that.
    """
    watch = losses = None
    with ExitStack() as stack:
        stack.enter_context(explaining_mixed_targets(have_classes=targets.has_classes()))
        if not run.has_watched_step and can_watch(module, is_compiled=is_compiled(module)):
            stack.enter_context(uncompiled())
            stack.enter_context(_keeping_problem_types(module))
            has_binary_loss = run.target_kinds is not None and run.target_kinds[0].has_binary_loss
            watch = stack.enter_context(
                TargetWatch(targets.mixed, are_classes=targets.has_classes(), has_binary_loss=has_binary_loss)
            )
            losses = stack.enter_context(LossWatch(targets.mixed[0]))
        stack.enter_context(_routed_metrics(module, targets, run, watch))
        yield
    run.has_watched_step = True
    for note in watch.notes if watch else ():
        run.say(note)
    if losses is not None and expects_cross_entropy:
        _check_cross_entropy(losses)


def _routed_metrics(
    module: pl.LightningModule, targets: MixedTargets, run: RunState, watch: TargetWatch | None
) -> AbstractContextManager[None]:
    """Route the module's metrics for the mixed pass."""

    def is_target(tensor: Tensor) -> bool:
        return targets.contain(tensor) or (watch is not None and watch.is_derived(tensor))

    def dominant(tensor: Tensor) -> Tensor:
        replaced = targets.dominant(tensor)
        if replaced is not tensor:
            run.say(
                "CoMixup: metrics get the dominant class or input of each mixed sample for a target, so they measure "
                "mixed batches: the clean pass does not call training_step."
            )
        return replaced

    return run.metrics.mixed_pass(module, is_target, dominant)


@contextmanager
def _keeping_problem_types(module: pl.LightningModule) -> Iterator[None]:
    """Undo, after an error, what models of transformers write into their configuration about floating labels."""
    found: list[Any] = [getattr(part, "config", None) for part in module.modules()]
    configs = [config for config in found if hasattr(config, "problem_type")]
    earlier = [config.problem_type for config in configs]
    try:
        yield
    except BaseException:
        for config, kind in zip(configs, earlier, strict=True):
            config.problem_type = kind
        raise


def _check_cross_entropy(losses: LossWatch) -> None:
    """Check that the loss of a step is the mean cross-entropy that the clean pass took it for.

    Raises:
        ValueError: If it is another.
    """
    others = [call.function for call in losses.calls if call.adjusted]
    if others:
        raise ValueError(
            "With manual optimization the clean pass differentiates the plain cross-entropy of module(inputs), which "
            f"must be the loss of training_step too, found {others[0]} with other arguments or targets. Inherit from "
            "CoMixupMixin and override comixup_clean_loss(inputs, targets), or pass CoMixup(clean_weight=0)."
        )
