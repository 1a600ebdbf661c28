"""How the callback mixes a batch: its settings and their checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from torch import Tensor, nn

from lightning_comixup.batch_access import BatchKey, check_key
from lightning_comixup.hyperparameters import (
    Hyperparameters,
    check_choice,
    check_count,
    check_flag,
    check_function,
    check_number,
)
from lightning_comixup.seeding import BatchDraws

CleanGradient = Literal["grad", "backward"]
OnNonfinite = Literal["raise", "skip"]
# (module, inputs (B, C, *spatial), clean targets) to a Tensor (B, *spatial). Not typed as one: jsonargparse takes a
# callable that returns a class for a factory of it, and would refuse objects that are called.
SaliencyFunction = Callable[[nn.Module, Tensor, Tensor], Any]


@dataclass(frozen=True, kw_only=True)
class MixingSettings:
    """How one batch is mixed, described in `CoMixup`."""

    hyperparameters: Hyperparameters
    num_classes: int | None
    clean_weight: float
    input_key: BatchKey
    target_key: BatchKey
    also_mix: tuple[BatchKey, ...]
    also_average: tuple[BatchKey, ...]
    linear_targets: bool
    saliency: SaliencyFunction | None
    clean_gradient: CleanGradient
    on_nonfinite: OnNonfinite

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ValueError: If a value is out of its range.
            TypeError: If a value has the wrong type.
        """
        if self.num_classes is not None:
            check_count("num_classes", self.num_classes, advice="Leave it None where the logits or soft targets tell.")
        advice = "Use 1 for the authors' step, or 0 for the saliency alone."
        check_number("clean_weight", self.clean_weight, lowest=0.0, advice=advice)
        self._check_keys()
        if self.saliency is not None:
            advice = "Leave it None for the input gradient of the clean pass."
            check_function("saliency", self.saliency, "(module, inputs, targets)", advice=advice)
        check_flag("linear_targets", self.linear_targets, advice="Use True for targets that are no classes.")
        advice = 'Use "grad" unless the module has re-entrant checkpointing.'
        check_choice("clean_gradient", self.clean_gradient, get_args(CleanGradient), advice=advice)
        advice = 'Use "raise" to find the cause, or "skip" to go on without mixing.'
        check_choice("on_nonfinite", self.on_nonfinite, get_args(OnNonfinite), advice=advice)

    def _check_keys(self) -> None:
        for name in ("input_key", "target_key"):
            check_key(name, getattr(self, name))
        for name in ("also_mix", "also_average"):
            for key in getattr(self, name):
                check_key(name, key)
        keys = [self.input_key, self.target_key, *self.also_mix, *self.also_average]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                raise ValueError(
                    "Each part of a batch must be named once in input_key, target_key, also_mix and also_average, "
                    f"found {key!r} twice: it would be mixed twice. Leave one of them out."
                )


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Which batches are mixed."""

    prob: float
    start_epoch: int
    stop_epoch: int | None

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ValueError: If a value is out of its range.
            TypeError: If a value has the wrong type.
        """
        check_number("prob", self.prob, lowest=0.0, highest=1.0, advice="Use 1 to mix every batch.")
        check_count("start_epoch", self.start_epoch, lowest=0, advice="Use 0 to mix from the first epoch.")
        if self.stop_epoch is not None:
            check_count("stop_epoch", self.stop_epoch, lowest=0, advice="Leave it None to mix up to the end.")
            if self.stop_epoch <= self.start_epoch:
                raise ValueError(
                    f"stop_epoch must be after start_epoch, found {self.stop_epoch} and {self.start_epoch}: no epoch "
                    "would be mixed. Leave stop_epoch=None to mix up to the end."
                )

    def mixes(self, draws: BatchDraws) -> bool:
        """Whether to mix a batch: the same on every rank, or synchronised layers would wait for ever."""
        epoch = draws.place.epoch
        if epoch < self.start_epoch or (self.stop_epoch is not None and epoch >= self.stop_epoch):
            return False
        return self.prob == 1 or bool(draws.decisions("mix").random() < self.prob)
