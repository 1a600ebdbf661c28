"""The callback: Co-Mixup in any Trainer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities import rank_zero_info

from lightning_comixup.hyperparameters import GridSize, Hyperparameters, Solver, Thresholding
from lightning_comixup.planning import LabelingReport
from lightning_comixup.solvers.dispatch import warm_up
from lightning_comixup.training.batch_reader import BatchReader, CleanBatch
from lightning_comixup.training.config import (
    AveragedKeys,
    BatchKey,
    CleanGradientMethod,
    CleanLoss,
    MixingConfig,
    OnNonfinite,
    SaliencyFunction,
    Schedule,
    as_key_tuple,
    read_averaged,
)
from lightning_comixup.training.current_batch import CurrentBatch
from lightning_comixup.training.image_logging import ImageLogger
from lightning_comixup.training.lightning_internals import data_rank
from lightning_comixup.training.metrics_logging import should_log, step_metrics
from lightning_comixup.training.presets import FAST, PAPER
from lightning_comixup.training.run_state import RunState
from lightning_comixup.training.seeding import BatchDraws, BatchPosition, choose_seed
from lightning_comixup.training.trainer_checks import check_trainer
from lightning_comixup.training.training_step import MixedStep, mix_training_batch
from lightning_comixup.validation import check_count, check_flag

_Default = Hyperparameters  # the only place that defines the defaults


class CoMixup(pl.Callback):
    """Replace each training batch by its Co-Mixup: `Trainer(callbacks=[CoMixup()])`.

    Before each step, one forward and backward of the module's own `training_step` on the clean batch gives the
    saliency. With clean_weight > 0 it also gives a clean gradient, to which the step's backward adds its own. Then the
    batch's inputs and targets are replaced. Class labels become (B, K) class probabilities, and numeric targets are
    averaged.

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
        clean_loss: CleanLoss = "auto",
        mixed_share: float = 1.0,
        prob: float = 1.0,
        start_epoch: int = 0,
        stop_epoch: int | None = None,
        input_key: BatchKey | None = None,
        target_key: BatchKey | None = None,
        channel_dim: int | None = 1,
        also_mix: Sequence[BatchKey] = (),
        also_average: AveragedKeys = (),
        linear_targets: bool | None = None,
        ignore_index: int | None = None,
        saliency: SaliencyFunction | None = None,
        seed: int | None = None,
        log: bool = True,
        log_images_every: int | None = None,
        images_folder: str | Path | None = None,
        on_nonfinite: OnNonfinite = "raise",
        clean_gradient: CleanGradientMethod = "grad",
        manual_optimization: bool = False,
    ) -> None:
        """Set the options, all of which are checked at once.

        Args:
            num_classes: Number of classes K. If None, it comes from soft targets, from the losses in the clean pass, or
                else from the module's output.
            alpha: Concentration α of the Dirichlet prior, above 0.
            grid_size: Cells along each side of the label grid, or a tuple with one number per side. "random" means a
                power of two up to 16, drawn for each batch (the authors' -1).
            partition_size: Size of the groups that are optimised together. Nothing is mixed across groups.
            smoothness: Weight β of the smoothness term.
            diversity: Weight γ of the diversity term.
            penalty_threshold: Over-penalisation threshold τ, as a share of the cells.
            thresholding: "hard" or "soft" φ, see `lightning_comixup.energy`.
            prior_weight: Weight η of the prior.
            compatibility_weight: Weight ω of the distances in the compatibility matrix, from 0 to 1.
            compatibility_window: Side of the window over which the saliency is averaged before its peak is located.
            compatibility_stride: Stride of that window (the authors: 1; for ImageNet 8).
            sweeps: Sweeps over the outputs of a group.
            restarts: Number of independent starts of the labeling. The best result is used (the authors: 1).
            resolve_duplicates: Whether to separate outputs that use the same inputs, by a cost in the last sweep.
            solver: "descent", or "pygco" for the authors' graph cuts (extra `pygco`).
            clean_weight: Weight of the clean loss, whose gradient adds to the mixed one. With 0 the clean pass gives
                only the saliency.
            clean_loss: The loss that the clean pass differentiates. "training_step" is the module's own step on the
                clean batch, with its logging muted. "forward" is the module's own `comixup_clean_loss` if it has one,
                and otherwise the cross-entropy of module(inputs), times 2/K with `comixup_loss_kind = "bce"`. "auto"
                means "forward" if the module has such a method, with "bce", and with manual optimization. In all other
                cases it means "training_step".
            mixed_share: Share of the groups of each batch that are mixed, above 0, chosen at random. The other groups
                keep their inputs, and also their targets, as rows. With clean_weight=0 the saliency pass sees only the
                mixed groups, and a batch in which no group is drawn stays unchanged.
            prob: Share of the batches that are mixed. All ranks mix the same ones.
            start_epoch: First epoch that is mixed.
            stop_epoch: First later epoch that is not mixed. If None, mixing continues to the end.
            input_key: The inputs' place in a batch: an index, a key or attribute name, a path of these to a nested part
                (`["data", "image"]`), or a (getter, setter) pair. If None, it is found by shape, dtype and name.
            target_key: The targets' place in a batch, in the same form. If None, it is found.
            channel_dim: The dimension of the channels in the inputs and in the parts of `also_mix`: 1; -1 for channels
                last, as in series (B, T, C); 2 for video (B, T, C, H, W); None for no channels, as in mono audio
                (B, T).
            also_mix: Keys of other inputs, mixed by the same masks.
            also_average: Keys of other parts (B, ...), such as loss weights, which are averaged like the targets. For
                further labels, a mapping of keys to numbers of classes: `{"coarse_label": 20, "weight": None}`.
            linear_targets: Whether targets are numbers of any shape (B, ...), averaged by the mixing weights, as for
                multi-label, regression or a single logit. If None, the losses in the clean pass decide.
            ignore_index: Integer target of samples without a class, which add nothing to the targets of an output. If
                None, it is that of the loss in the clean pass, -100 for PyTorch's losses.
            saliency: A function from (module, inputs, targets) to the saliency (B, *spatial), such as `Edges()`. Its
                changes to gradients, modes and `requires_grad` are undone. With `LowResolution()` the clean pass gives
                the saliency, from smaller inputs. If None, the clean pass gives it at full size.
            seed: Seed of all draws, stored in checkpoints. If None, it is that of `seed_everything`, or else a fresh
                one.
            log: Whether to log clean loss and accuracy, the solver's report and the milliseconds of each phase.
            log_images_every: Draw one mixed batch in this many batches (extra `plot`). None means no pictures.
            images_folder: Folder for the pictures. If None, they go to the loggers, or to the run's folder if no logger
                accepts them.
            on_nonfinite: What happens if the saliency is NaN or infinite: "raise" raises an error, "skip" leaves the
                batch unmixed and warns.
            clean_gradient: How the clean loss is differentiated: "grad", or "backward" for re-entrant checkpointing.
            manual_optimization: Set it if the module optimizes manually and calls manual_backward once per batch.

        Raises:
            ValueError: If a value is out of range.
            TypeError: If a value has the wrong type.
            ImportError: If pictures should be drawn and matplotlib is not installed.
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
        averaged, average_classes = read_averaged(also_average)
        self._config = MixingConfig(
            hyperparameters=self.hyperparameters,
            num_classes=num_classes,
            clean_weight=clean_weight,
            clean_loss=clean_loss,
            mixed_share=mixed_share,
            input_key=input_key,
            target_key=target_key,
            channel_dim=channel_dim,
            also_mix=as_key_tuple("also_mix", also_mix),
            also_average=averaged,
            average_classes=average_classes,
            linear_targets=linear_targets,
            ignore_index=ignore_index,
            saliency=saliency,
            clean_gradient=clean_gradient,
            on_nonfinite=on_nonfinite,
            manual_optimization=manual_optimization,
        )
        self._schedule = Schedule(prob=prob, start_epoch=start_epoch, stop_epoch=stop_epoch)
        if seed is not None:
            check_count("seed", seed, lowest=0, advice="Leave it None to use the seed of seed_everything.")
        check_flag("log", log, advice="Use False to log nothing.")
        self._given_seed = seed
        self.seed = seed  # of the run: set when it starts or when its checkpoint is loaded
        self._logs_steps = log  # `log` itself is an attribute that Lightning sets on callbacks
        self._run = RunState()
        self._image_logger = ImageLogger(log_images_every, images_folder)
        self._current = CurrentBatch()
        self._reader = BatchReader(self._config)

    @classmethod
    def paper(cls, **changes: Any) -> CoMixup:
        """Return the callback with the paper's method and the authors' values for CIFAR, the defaults of this version.

        Args:
            **changes: Arguments of `CoMixup` that override the preset or add to it.

        Raises:
            TypeError: If a name is unknown. All other errors are those of `CoMixup`.
        """
        return cls(**{**PAPER, **changes})

    @classmethod
    def fast(cls, **changes: Any) -> CoMixup:
        """Return the callback with settings for which a step costs little more than one without mixing.

        Half of the groups of each batch are mixed, without a clean loss. Their saliency is the strength of the edges in
        the inputs, which needs no pass of the module.

        Args:
            **changes: Arguments of `CoMixup` that override the preset or add to it.

        Raises:
            TypeError: If a name is unknown. All other errors are those of `CoMixup`.
        """
        return cls(**{**FAST, **changes})

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Check the Trainer and the module, choose the seed and compile the solver."""
        if stage != "fit":
            return
        check_trainer(trainer, pl_module, CoMixup, self._config)
        self.seed = trainer.strategy.broadcast(choose_seed()) if self._given_seed is None else self._given_seed
        warm_up(self.hyperparameters.solver, rank_zero_info)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin a run, and wrap the strategy so that its batches can be replaced."""
        self._run = RunState()
        self._current.install(trainer.strategy)
        self._image_logger.restart()
        self._reader.restart()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Mix the batch."""
        self._current.forget()
        assert self.seed is not None
        draws = BatchDraws(self.seed, BatchPosition(data_rank(trainer), trainer.current_epoch, batch_idx))
        parts = self._reader.read(batch) if self._schedule.should_mix(draws) else None
        if parts is not None:
            clean = CleanBatch(batch, batch_idx, parts)
            step = mix_training_batch(trainer, pl_module, clean, self._config, draws, self._run)
            if step is not None:
                self._take_over(trainer, pl_module, step)

    def _take_over(self, trainer: pl.Trainer, pl_module: pl.LightningModule, step: MixedStep) -> None:
        """Keep a mixed step for the later hooks, and log and draw it."""
        is_first = self._run.last_report is None
        self._current.keep(step, pl_module, self._config, self._run)
        self._run.note_report(step.plan and step.plan.report)
        self._image_logger.draw(trainer, step)
        size = len(step.clean.parts.inputs)
        mixes_every_step = self._schedule.prob == 1 and self._config.mixes_every_batch(size)
        if self._logs_steps and should_log(trainer, is_first, mixes_every_step):
            pl_module.log_dict(step_metrics(step), batch_size=size)

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: torch.Tensor) -> None:
        """Add the clean gradient to each `.grad`, to which the mixed backward adds its own."""
        self._current.add_clean_gradient(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Report a clean gradient that no backward has consumed."""
        self._current.finish(trainer, pl_module, outputs)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget the last batch."""
        self._current.forget()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restore the strategy."""
        self._current.release()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Restore the strategy. If the error came from a hook that got the first mixed batch, explain it."""
        self._current.explain(exception)
        self._current.release()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop watching hooks before validation."""
        self._current.end_hooks()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Restore the strategy."""
        self._current.release()

    # With `state_dict` and `load_state_dict` instead, a Trainer would reject two callbacks of this class before
    # `check_single` can explain why.
    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Save the seed, with which a resumed run makes the same draws as an uninterrupted one."""
        states = checkpoint["callbacks"]
        states[self.state_key] = states.get(self.state_key, {}) | {"seed": self.seed}

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restore the seed of the run that is resumed, if it had one."""
        seed = checkpoint["callbacks"].get(self.state_key, {}).get("seed")
        if seed is not None:
            self.seed = seed

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the state of the run, and the attributes that Lightning adds, from copies and pickles."""
        own = {name: value for name, value in vars(self).items() if name not in ("log", "log_dict")}
        return own | {"_run": RunState()}

    @property
    def clean_targets(self) -> torch.Tensor | None:
        """The clean targets of the current batch; None if it is not mixed."""
        return self._current.clean_targets

    @property
    def last_report(self) -> LabelingReport | None:
        """The report on the last batch that was mixed in this run."""
        return self._run.last_report
