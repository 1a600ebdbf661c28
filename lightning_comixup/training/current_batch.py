"""The current batch, from its mixing to the end of its step."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.strategies import Strategy
from torch import Tensor

from lightning_comixup.soft_targets.targets import flatten_labels
from lightning_comixup.training.batch_replacement import BatchReplacement
from lightning_comixup.training.clean_gradient import CleanGradient, check_consumed, trained_parameters
from lightning_comixup.training.clean_loss import assumes_cross_entropy
from lightning_comixup.training.config import MixingConfig
from lightning_comixup.training.derived_tensors import can_watch, uncompiled
from lightning_comixup.training.error_notes import note_mixed_targets
from lightning_comixup.training.lightning_internals import is_compiled, overrides
from lightning_comixup.training.mixed_pass import MixedTargets, mixed_pass, shown_by_labels
from lightning_comixup.training.run_state import RunState
from lightning_comixup.training.target_watch import ShownByLabels, TargetWatch
from lightning_comixup.training.training_step import MixedStep


class CurrentBatch:
    """Passes a mixed batch on to `training_step`, and its clean gradient to the backward of the mixed loss."""

    def __init__(self) -> None:
        """Start without a batch."""
        self.clean_targets: Tensor | None = None  # None if the batch is not mixed
        self._gradient: CleanGradient | None = None
        self._replacement = BatchReplacement()
        self._targets: MixedTargets | None = None  # of the first mixed step, whose hooks are watched
        self._shown = ShownByLabels()
        self._hooks: ExitStack | None = None  # open while hooks are watched

    def install(self, strategy: Strategy) -> None:
        """Wrap a strategy so that its batches can be replaced, until `release`."""
        self._replacement.install(strategy)

    def keep(self, step: MixedStep, module: pl.LightningModule, config: MixingConfig, run: RunState) -> None:
        """Keep the results of a mixed step for the later hooks."""
        self._gradient = None if step.clean_pass is None else step.clean_pass.gradient
        self.clean_targets = flatten_labels(step.clean.parts.targets)
        is_first = not run.has_watched_step and step.targets.are_mixed()
        self._targets, self._shown = step.targets if is_first else None, shown_by_labels(run)
        if is_first and step.batch is step.clean.batch:
            _say_who_gets_it(module, run)
        assumed = assumes_cross_entropy(module, config)
        prepare = partial(mixed_pass, module, step.targets, run, expects_cross_entropy=assumed)
        self._replacement.replace(step.clean.batch, step.batch, prepare)

    def add_clean_gradient(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Add the clean gradient to each `.grad`, if there is one."""
        if self._gradient is not None:
            self._gradient.add(trained_parameters(trainer, module))

    def finish(self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any) -> None:
        """Report a clean gradient that no backward has consumed. The targets stay until the next batch."""
        gradient, self._gradient = self._gradient, None
        self._replacement.forget()
        if gradient is not None:
            check_consumed(gradient, trainer, module, outputs)
        if self._targets is not None and can_watch(module, is_compiled=is_compiled(module)):
            self._hooks = ExitStack()  # closed once the hooks after this one are over
            self._hooks.enter_context(uncompiled())
            classes = self._targets.has_classes()
            self._hooks.enter_context(TargetWatch(self._targets.mixed, are_classes=classes, shown=self._shown))

    def end_hooks(self) -> None:
        """Stop watching the hooks after the first mixed step."""
        hooks, self._hooks, self._targets = self._hooks, None, None
        if hooks is not None:
            hooks.close()

    def explain(self, error: BaseException) -> None:
        """If an error comes from a hook after the first mixed step, explain the mixed targets."""
        if self._hooks is not None and self._targets is not None and self._targets.has_classes():
            note_mixed_targets(error)

    def forget(self) -> None:
        """Forget the batch."""
        self.end_hooks()
        self._gradient = self.clean_targets = None
        self._replacement.forget()

    def release(self) -> None:
        """Forget the batch and restore the strategy. This is safe at any time."""
        self._replacement.remove()
        self.forget()

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the state of a run from copies and pickles."""
        return vars(CurrentBatch()).copy()


def _say_who_gets_it(module: pl.LightningModule, run: RunState) -> None:
    """Log once which of the user's hooks get a batch that was changed in place: a metric there would see class rows."""
    callbacks: list[pl.Callback] = module.trainer.callbacks  # type: ignore[attr-defined]
    owners = [owner for owner in (module, *callbacks) if overrides(owner, "on_train_batch_end")]
    names = [
        type(owner).__name__ for owner in owners if type(owner).__module__.partition(".")[0] != "lightning_comixup"
    ]
    if names:
        run.say(
            f"CoMixup: on_train_batch_end of {', '.join(names)} gets the mixed batch, whose targets are not those of "
            "single samples. The clean targets are available as CoMixup.clean_targets."
        )
