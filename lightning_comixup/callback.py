"""The callback: Co-Mixup in any Trainer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from lightning_comixup.batch_access import BatchKey, key_list
from lightning_comixup.batch_swap import BatchSwap
from lightning_comixup.clean_pass import trained_parameters
from lightning_comixup.hyperparameters import (
    GridSize,
    Hyperparameters,
    Solver,
    Thresholding,
    check_count,
    check_flag,
)
from lightning_comixup.kept_gradients import KeptGradients
from lightning_comixup.labeling import warm_up
from lightning_comixup.picture_log import PictureLog
from lightning_comixup.plan import LabelingReport
from lightning_comixup.seeding import BatchDraws, BatchPlace, choose_seed
from lightning_comixup.settings import CleanGradient, MixingSettings, OnNonfinite, SaliencyFunction, Schedule
from lightning_comixup.setup_checks import check_setup
from lightning_comixup.soft_target_hint import hint_at_soft_targets
from lightning_comixup.step_end import check_taken
from lightning_comixup.step_log import is_logged, step_log
from lightning_comixup.strategies import data_rank
from lightning_comixup.training_batch import MixedStep, mix_training_batch

_Default = Hyperparameters  # each default is written there, once


class CoMixup(pl.Callback):
    """Replace each training batch by its Co-Mixup: `Trainer(callbacks=[CoMixup()])`.

    Before each step one forward and backward of the module on the clean batch gives the saliency and, with
    clean_weight > 0, a clean gradient to which the step's own backward adds; then the batch's inputs and targets are
    replaced, the targets by (B, K) class probabilities.

    Source: Kim, Choo, Jeong, Song, "Co-Mixup: Saliency Guided Joint Mixup with Supermodular Diversity", ICLR 2021.
    """

    def __init__(
        self,
        *,
        num_classes: int | None = None,
        alpha: float = _Default.alpha,
        grid_size: GridSize = _Default.grid_size,
        partition_size: int = _Default.partition_size,
        smoothness: float = _Default.smoothness,
        diversity: float = _Default.diversity,
        penalty_threshold: float = _Default.penalty_threshold,
        thresholding: Thresholding = _Default.thresholding,
        prior_weight: float = _Default.prior_weight,
        compatibility_weight: float = _Default.compatibility_weight,
        compatibility_window: int = _Default.compatibility_window,
        compatibility_stride: int = _Default.compatibility_stride,
        sweeps: int = _Default.sweeps,
        restarts: int = _Default.restarts,
        resolve_duplicates: bool = _Default.resolve_duplicates,
        solver: Solver = _Default.solver,
        clean_weight: float = 1.0,
        prob: float = 1.0,
        start_epoch: int = 0,
        stop_epoch: int | None = None,
        input_key: BatchKey = 0,
        target_key: BatchKey = 1,
        also_mix: Sequence[BatchKey] = (),
        also_average: Sequence[BatchKey] = (),
        linear_targets: bool = False,
        saliency: SaliencyFunction | None = None,
        seed: int | None = None,
        log: bool = True,
        log_images_every: int | None = None,
        images_folder: str | Path | None = None,
        on_nonfinite: OnNonfinite = "raise",
        clean_gradient: CleanGradient = "grad",
        manual_optimization: bool = False,
    ) -> None:
        """Check and keep the settings.

        Args:
            num_classes: Number K of classes. None: taken from soft targets, or from the logits of the clean pass.
            alpha: Concentration α of the Dirichlet prior, above 0.
            grid_size: Cells along each side of the label grid; a tuple for each side; "random": a power of two
                up to 16, drawn for each batch (the authors' -1).
            partition_size: Inputs optimised together; nothing is mixed across these groups.
            smoothness: Weight β of the smoothness term.
            diversity: Weight γ of the diversity term.
            penalty_threshold: Over-penalisation threshold τ, as a share of the cells.
            thresholding: "hard" or "soft" φ, see `lightning_comixup.energy`.
            prior_weight: Weight η of the prior.
            compatibility_weight: Weight ω of the distances in the compatibility matrix, from 0 to 1.
            compatibility_window: Side of the window that averages the saliency before its peak is located.
            compatibility_stride: Stride of that window (the authors: 1; for ImageNet 8).
            sweeps: Sweeps over the outputs of a group.
            restarts: Independent starts of the labeling, the one of lowest energy kept (the authors: 1).
            resolve_duplicates: Tell apart outputs that use the same inputs, by a cost in the last sweep.
            solver: "exact", or "pygco" for the authors' graph cuts (extra `pygco`).
            clean_weight: Weight of the clean loss, whose gradient adds to the mixed one; 0: saliency only.
            prob: Share of the batches that are mixed; the same on every rank.
            start_epoch: First epoch that is mixed.
            stop_epoch: First epoch after it that is not; None: none.
            input_key: Where a batch has its inputs: an index, a key or attribute name, a path of them to a nested part
                (`["data", "image"]`), or a (getter, setter) pair.
            target_key: Where it has its targets.
            also_mix: Other inputs (B, C, *spatial) of a batch, mixed by the same masks.
            also_average: Other parts (B, ...) of a batch, such as loss weights, averaged as the targets are.
            linear_targets: Targets are floating, of any shape (B, ...): multi-label, regression. They are averaged by
                the mixing weights, and `comixup_clean_loss` must be overridden for them.
            saliency: Gives the saliency instead of the clean pass: (module, inputs, targets) to (B, *spatial).
            seed: Seed of all draws. None: that of `seed_everything`, or else fresh; a checkpoint keeps it.
            log: Log clean loss and accuracy, the solver's report and the milliseconds of each phase.
            log_images_every: Batches from one picture of a mixed batch to the next (extra `plot`). None: no pictures.
            images_folder: Where pictures are written. None: to the loggers, or to the run's folder if none takes them.
            on_nonfinite: With a saliency that is NaN or infinite "raise", or "skip": leave the batch unmixed and warn.
            clean_gradient: How the clean loss is differentiated: "grad"; or "backward", for re-entrant checkpointing.
            manual_optimization: With clean_weight > 0: the module optimizes manually, with one manual_backward a batch.

        Raises:
            ValueError: If a value is out of range.
            TypeError: If a value has the wrong type.
            ImportError: If pictures are wanted and matplotlib is not installed.
        """
        self.hyperparameters = Hyperparameters(
            alpha=alpha,
            grid_size=grid_size,
            partition_size=partition_size,
            smoothness=smoothness,
            diversity=diversity,
            penalty_threshold=penalty_threshold,
            thresholding=thresholding,
            prior_weight=prior_weight,
            compatibility_weight=compatibility_weight,
            compatibility_window=compatibility_window,
            compatibility_stride=compatibility_stride,
            sweeps=sweeps,
            restarts=restarts,
            resolve_duplicates=resolve_duplicates,
            solver=solver,
        )
        self.settings = MixingSettings(
            hyperparameters=self.hyperparameters,
            num_classes=num_classes,
            clean_weight=clean_weight,
            input_key=input_key,
            target_key=target_key,
            also_mix=key_list("also_mix", also_mix),
            also_average=key_list("also_average", also_average),
            linear_targets=linear_targets,
            saliency=saliency,
            clean_gradient=clean_gradient,
            on_nonfinite=on_nonfinite,
        )
        self.schedule = Schedule(prob=prob, start_epoch=start_epoch, stop_epoch=stop_epoch)
        if seed is not None:
            check_count("seed", seed, lowest=0, advice="Leave it None for that of seed_everything.")
        check_flag("log", log, advice="Use False to log nothing.")
        advice = "Use True if the module calls manual_backward once per batch."
        check_flag("manual_optimization", manual_optimization, advice=advice)
        self._given_seed = seed
        self.seed = seed  # of the run: settled when it starts, or by its checkpoint
        self.manual_optimization = manual_optimization
        self._logs_steps = log  # `log` itself is an attribute that Lightning sets on callbacks
        self.last_report: LabelingReport | None = None  # of the last mixed batch
        self.clean_targets: Any = None  # of the batch at hand, as they came; None if it is not mixed
        self._pictures = PictureLog(log_images_every, images_folder)
        self._kept: KeptGradients | None = None  # of the batch at hand
        self._swap = BatchSwap()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Check the Trainer and the module, settle the seed and compile the solver."""
        if stage != "fit":
            return
        check_setup(trainer, pl_module, CoMixup, self.settings, self.manual_optimization)
        self.seed = trainer.strategy.broadcast(choose_seed()) if self._given_seed is None else self._given_seed
        warm_up(self.hyperparameters.solver)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Make it possible to hand on another batch; begin a run of its own."""
        self.last_report = None
        self._swap.install(trainer.strategy)
        self._pictures.restart()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Mix the batch."""
        self._forget_batch()
        assert self.seed is not None
        draws = BatchDraws(self.seed, BatchPlace(data_rank(trainer), trainer.current_epoch, batch_idx))
        if self.schedule.mixes(draws):
            is_first = self.last_report is None
            step = mix_training_batch(trainer, pl_module, batch, self.settings, draws)
            self._take(step, batch)
            self._pictures.draw(trainer, step)
            if self._logs_steps and is_logged(trainer, is_first, self.schedule.prob):
                pl_module.log_dict(step_log(step), batch_size=len(step.clean_inputs))

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: torch.Tensor) -> None:
        """Put the clean gradient where the mixed backward adds to it."""
        if self._kept is not None:
            self._kept.add(trained_parameters(trainer))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Report a clean gradient that no backward took."""
        kept, self._kept = self._kept, None
        self._swap.forget()
        if kept is not None:
            check_taken(kept, trainer, pl_module, outputs)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Hold nothing of the last batch."""
        self._forget_batch()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the strategy as it was."""
        self._release()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Leave the strategy as it was; say what a loss that wants integers may have met."""
        hint_at_soft_targets(exception, self.clean_targets)
        self._release()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Leave the strategy as it was."""
        self._release()

    def state_dict(self) -> dict[str, Any]:
        """Return the seed: with it a resumed run draws what an uninterrupted one draws."""
        return {"seed": self.seed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the seed of the run that is resumed, if it had come to have one."""
        if state_dict["seed"] is not None:
            self.seed = state_dict["seed"]

    def __getstate__(self) -> dict[str, Any]:
        """Leave what belongs to the run out of copies and pickles: the batch at hand, what Lightning hangs on."""
        own = {name: value for name, value in vars(self).items() if name not in ("log", "log_dict")}
        return own | {"_kept": None, "clean_targets": None}

    def _take(self, step: MixedStep, batch: Any) -> None:
        self._kept = None if step.clean is None else step.clean.kept
        self.last_report = self.last_report if step.plan is None else step.plan.report
        self.clean_targets = step.clean_targets
        self._swap.replace(batch, step.batch)

    def _forget_batch(self) -> None:
        self._kept = self.clean_targets = None
        self._swap.forget()

    def _release(self) -> None:
        self._swap.remove()
        self._forget_batch()
