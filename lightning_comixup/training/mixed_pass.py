"""The context of `training_step` on a mixed batch: routing metrics, watching the first step and explaining errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from torch import Tensor

from lightning_comixup.training.derived_tensors import can_watch, have_same_values, map_tensors, storages, uncompiled
from lightning_comixup.training.error_notes import explaining_mixed_targets
from lightning_comixup.training.lightning_internals import is_compiled
from lightning_comixup.training.loss_watch import CLASS_LOSSES, NUMBER_LOSSES, LossShapes, LossWatch
from lightning_comixup.training.metric_routing import TargetTests
from lightning_comixup.training.run_state import RunState
from lightning_comixup.training.target_watch import ShownByLabels, TargetWatch


class MixedTargets(NamedTuple):
    """The targets of a step, before and after mixing: the batch's own, then each part of `also_average`."""

    clean: Sequence[Tensor]
    mixed: Sequence[Tensor]
    unnamed_labels: Sequence[Tensor]  # of the clean batch, see `CleanBatch`
    dominant_input: Tensor | None  # (B,) the input with the most cells in each output; None if nothing was mixed

    def has_classes(self) -> bool:
        """Whether labels have become rows of class probabilities."""
        return self.clean[0].shape != self.mixed[0].shape

    def are_mixed(self) -> bool:
        """Whether the step's targets differ in kind from the clean ones, which is False if the batch is skipped."""
        return self.dominant_input is not None or self.has_classes()

    def contain(self, tensor: Tensor) -> bool:
        """Whether a tensor is one of them, or a view of one."""
        return bool(storages([tensor]) & storages([*self.mixed, *self.unnamed_labels]))

    def have_values_of(self, tensor: Tensor) -> bool:
        """Whether one of them has a tensor's values, cast or reshaped. This waits for the device."""
        return any(have_same_values(tensor, target) for target in [*self.mixed, *self.unnamed_labels])

    def dominant(self, arguments: Any) -> tuple[Any, bool]:
        """Replace mixed targets by those of each output's dominant class or input, and keep other tensors.

        Returns:
            The arguments, and whether a target was among them.
        """
        for is_one in (_share_memory, have_same_values):  # the second waits for the device
            replaced, found = self._replaced(arguments, is_one)
            if found:
                return replaced, True
        return arguments, False

    def _replaced(self, arguments: Any, is_one: Callable[[Tensor, Tensor], bool]) -> tuple[Any, bool]:
        found = []

        def replace(tensor: Tensor) -> Tensor:
            for index, mixed in enumerate(self.mixed):
                if tensor.shape == mixed.shape and is_one(tensor, mixed):
                    found.append(index)
                    return self._dominant_targets(index)
            return tensor

        return map_tensors(arguments, replace), bool(found)

    def _dominant_targets(self, index: int) -> Tensor:
        clean, mixed = self.clean[index], self.mixed[index]
        taken = clean if self.dominant_input is None else clean[self.dominant_input]
        if clean.shape == mixed.shape:
            return taken
        classes = mixed.argmax(1).to(clean.dtype).view(clean.shape)  # labels that became rows
        has_class = (mixed.amax(1) > 0).view(clean.shape)
        return torch.where(has_class, classes, taken)


def _share_memory(tensor: Tensor, other: Tensor) -> bool:
    return bool(storages([tensor]) & storages([other]))


@contextmanager
def mixed_pass(
    module: pl.LightningModule, targets: MixedTargets, run: RunState, *, expects_cross_entropy: bool
) -> Iterator[None]:
    """Prepare a module for `training_step` on a mixed batch, and restore it afterwards.

    Args:
        module: The module.
        targets: The targets of the step.
        run: The state of the run, whose first mixed step is watched.
        expects_cross_entropy: Whether the clean pass assumed the cross-entropy, so that the step's own loss must be the
            cross-entropy.
    """
    watch = losses = own = None
    with ExitStack() as stack:
        stack.enter_context(explaining_mixed_targets(have_classes=targets.has_classes()))
        if not run.has_watched_step and targets.are_mixed() and can_watch(module, is_compiled=is_compiled(module)):
            stack.enter_context(uncompiled())
            stack.enter_context(_keeping_problem_types(module))
            classes = targets.has_classes()
            watch = stack.enter_context(TargetWatch(targets.mixed, are_classes=classes, shown=shown_by_labels(run)))
            losses = stack.enter_context(LossWatch(targets.mixed[0]))
            is_same = storages(targets.clean[:1]) & storages(targets.mixed[:1])
            own = None if is_same else stack.enter_context(LossWatch(targets.clean[0]))
        stack.enter_context(_routed_metrics(module, targets, run, watch))
        yield
    run.has_watched_step |= targets.are_mixed()
    for note in watch.notes if watch else ():
        run.say(note)
    if losses is not None:
        _check_shapes(run.loss_shapes, losses.shapes)
    if losses is not None and own is not None:
        _check_mixed_are_taken(own, losses)
    if losses is not None and expects_cross_entropy:
        _check_cross_entropy(losses)


def shown_by_labels(run: RunState) -> ShownByLabels:
    """Return how the first clean pass of a run used labels."""
    kinds = run.target_kinds or ()
    binary, smoothed = any(kind.binary_rows for kind in kinds), any(kind.smoothed_rows for kind in kinds)
    return ShownByLabels(binary, smoothed, run.label_totals)


def _routed_metrics(
    module: pl.LightningModule, targets: MixedTargets, run: RunState, watch: TargetWatch | None
) -> AbstractContextManager[None]:
    """Route the module's metrics for the mixed pass."""

    def is_target(tensor: Tensor) -> bool:
        return targets.contain(tensor) or (watch is not None and watch.is_derived(tensor))

    def has_their_values(tensor: Tensor) -> bool:
        return watch is None and targets.have_values_of(tensor)

    def dominant(arguments: Any) -> Any:
        replaced, is_replaced = targets.dominant(arguments)
        if is_replaced:
            run.say(
                "CoMixup: training metrics now measure mixed batches, against the class or the input with the largest "
                "share in each sample, because no clean pass calls training_step."
            )
        return replaced

    tests = TargetTests(is_target, has_their_values)
    return run.metrics.mixed_pass(module, tests, dominant, takes_mixed=not targets.has_classes())


@contextmanager
def _keeping_problem_types(module: pl.LightningModule) -> Iterator[None]:
    """After an error, undo the `problem_type` that models of transformers derive from floating-point labels."""
    found: list[Any] = [getattr(part, "config", None) for part in module.modules()]
    configs = [config for config in found if hasattr(config, "problem_type")]
    earlier = [config.problem_type for config in configs]
    try:
        yield
    except BaseException:
        for config, kind in zip(configs, earlier, strict=True):
            config.problem_type = kind
        raise


def _check_shapes(clean: Sequence[LossShapes], mixed: Sequence[LossShapes]) -> None:
    """Check that losses of numbers got the same shapes as on the clean batch, since rows may broadcast silently.

    Raises:
        ValueError: If a loss did not.
    """
    if [call.function for call in clean] != [call.function for call in mixed]:
        return  # the step called other losses
    for before, after in zip(clean, mixed, strict=True):
        if before.outputs == before.targets and after.outputs != after.targets:
            raise ValueError(
                f"{before.function} must get the shapes that it gets on a clean batch, {before.outputs} and "
                f"{before.targets}, found {after.outputs} and {after.targets} on the mixed one: its targets are "
                "computed from class probabilities (B, K) as if they were labels (B,). Compute them for each class and "
                "average them with `targets @ rows_of_the_classes`, or use `self.comixup_loss(logits, targets, "
                "loss_fn=...)`."
            )


def _check_mixed_are_taken(own: LossWatch, mixed: LossWatch) -> None:
    """Check that the losses of a mixed step do not use the clean targets, which the batch may contain a second time.

    Raises:
        ValueError: If they do.
    """
    if own.losses and not mixed.losses:
        raise ValueError(
            "A mixed step must use the mixed targets, found that its losses use those of the clean batch: they are "
            "in the batch twice, as one tensor or as a view, and only one is mixed. Name the part that the step uses "
            "as CoMixup(target_key=...), and if the other one is used as well, name it in also_average."
        )


def _check_cross_entropy(losses: LossWatch) -> None:
    """Check that the loss of a step is the mean cross-entropy that the clean pass assumed.

    Raises:
        ValueError: If it is a different loss.
    """
    calls = [call for call in losses.calls if call.function in CLASS_LOSSES + NUMBER_LOSSES]
    others = [call.function for call in calls if call.adjusted]
    if others or not calls:
        found = f"{others[0]} with other arguments or targets" if others else "no loss of PyTorch's"
        raise ValueError(
            "With manual optimization the clean pass differentiates the plain cross-entropy of module(inputs), which "
            f"must also be the loss of training_step, found {found}. Inherit from CoMixupMixin and override "
            "comixup_clean_loss(inputs, targets), or pass CoMixup(clean_weight=0)."
        )
