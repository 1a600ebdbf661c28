"""Checks of the Trainer and the module before the first step."""

from __future__ import annotations

import lightning.pytorch as pl
from lightning.pytorch.utilities.signature_utils import is_param_in_hook_signature

from lightning_comixup.training.clean_loss import find_source
from lightning_comixup.training.config import MixingConfig
from lightning_comixup.training.lightning_internals import has_static_graph, overrides, shards_outside


def check_trainer(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    kind: type[pl.Callback],
    config: MixingConfig,
) -> None:
    """Check that the Trainer can train the module exactly.

    Raises:
        ValueError: If it cannot.
    """
    check_single(trainer, kind)
    check_training_step(module)
    check_strategy(trainer, config.clean_weight)
    check_clean_gradient(trainer, module, config)
    check_optimization(module, config)
    check_clean_loss(module, config)


def check_single(trainer: pl.Trainer, kind: type[pl.Callback]) -> None:
    """Check that only one callback mixes batches.

    Raises:
        ValueError: If there are several.
    """
    found = sum(isinstance(callback, kind) for callback in trainer.callbacks)  # type: ignore[attr-defined]
    if found > 1:
        raise ValueError(
            f"A Trainer must have one CoMixup callback, found {found}: the batch would be mixed twice. Keep one."
        )


def check_training_step(module: pl.LightningModule) -> None:
    """Check that the step gets its batch from the loop.

    Raises:
        ValueError: If the step fetches its batches itself.
    """
    if is_param_in_hook_signature(module.training_step, "dataloader_iter", explicit=True):
        raise ValueError(
            "training_step must take a batch, found training_step(dataloader_iter): callbacks never see the batch that "
            "such a step fetches. Use (batch, batch_idx), or call comixup_batch inside the step."
        )


def check_strategy(trainer: pl.Trainer, clean_weight: float) -> None:
    """Check that the module sees its parameters' gradients.

    Raises:
        ValueError: If a wrapper shards the parameters and clean_weight > 0.
    """
    if clean_weight > 0 and shards_outside(trainer.strategy):
        raise ValueError(
            "clean_weight must be 0 with a strategy whose wrapper shards the parameters, found "
            f"{clean_weight} with {type(trainer.strategy).__name__}: the module does not see their clean gradients, "
            "which would silently be missing. Use ModelParallelStrategy (FSDP2), or CoMixup(clean_weight=0)."
        )


def check_clean_gradient(trainer: pl.Trainer, module: pl.LightningModule, config: MixingConfig) -> None:
    """Check that a clean gradient from a backward is exact with the strategy.

    Raises:
        ValueError: If DistributedDataParallel was told that its graph is static.
    """
    own_backward = config.clean_weight > 0 and overrides(module, "backward")
    if has_static_graph(trainer.strategy) and (config.clean_gradient == "backward" or own_backward):
        raise ValueError(
            "The clean gradient must not come from a backward with static_graph=True, found "
            f"{'a backward() of the module' if own_backward else 'clean_gradient=' + repr('backward')}: it would count "
            'as a backward of the static graph. Use clean_gradient="grad" with non-reentrant checkpointing. With a '
            "backward() of the module also use clean_weight=0."
        )


def check_optimization(module: pl.LightningModule, config: MixingConfig) -> None:
    """Check that the user has opted in to manual optimization.

    Raises:
        ValueError: If the module optimizes manually, clean_weight > 0 and the user did not opt in.
    """
    if config.clean_weight > 0 and not module.automatic_optimization and not config.manual_optimization:
        raise ValueError(
            "Manual optimization must be opted into, found manual_optimization=False: the clean gradient is "
            "added when the module calls self.manual_backward(loss), once per batch, after its zero_grad(). If yours "
            "does, pass CoMixup(manual_optimization=True). If it divides the loss by N for N batches per step, which "
            "the callback cannot see, also pass clean_weight=1/N. Otherwise use clean_weight=0."
        )


def check_clean_loss(module: pl.LightningModule, config: MixingConfig) -> None:
    """Check that the clean loss suits the targets, and that computing it does not step an optimizer.

    Raises:
        ValueError: If it would be the cross-entropy of numbers, or would call a step that steps its optimizer itself.
    """
    needs_loss = config.clean_weight > 0 or config.has_saliency_of_clean_pass
    source = find_source(module, config)
    if config.linear_targets and needs_loss and source == "forward":
        raise ValueError(
            "comixup_clean_loss must be overridden with linear_targets=True if the clean pass does not call "
            "training_step, found cross-entropy, the default. Inherit from CoMixupMixin and return the loss of your "
            "targets, such as binary cross-entropy of each label."
        )
    if needs_loss and source == "training_step" and not module.automatic_optimization:
        raise ValueError(
            'clean_loss must not be "training_step" with manual optimization, found that value: the clean pass would '
            'step the optimizer. Leave clean_loss="auto", and override comixup_clean_loss of CoMixupMixin if the loss '
            "is not the cross-entropy of module(inputs)."
        )
