"""What a Trainer must be like for the callback: checked before the first step."""

from __future__ import annotations

import lightning.pytorch as pl
from lightning.pytorch.utilities.signature_utils import is_param_in_hook_signature

from lightning_comixup.clean_pass import has_default_loss
from lightning_comixup.settings import MixingSettings
from lightning_comixup.strategies import overrides, shards_outside


def check_setup(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    kind: type[pl.Callback],
    settings: MixingSettings,
    manual_optimization: bool,
) -> None:
    """Check all that this file names.

    Raises:
        ValueError: If something cannot be trained exactly.
    """
    check_single(trainer, kind)
    check_training_step(module)
    check_strategy(trainer, settings.clean_weight)
    check_clean_gradient(trainer, module, settings)
    check_optimization(module, settings.clean_weight, manual_optimization)
    check_linear_targets(module, settings)


def check_single(trainer: pl.Trainer, kind: type[pl.Callback]) -> None:
    """Check that only one callback mixes.

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
        ValueError: If it fetches batches itself.
    """
    if is_param_in_hook_signature(module.training_step, "dataloader_iter", explicit=True):
        raise ValueError(
            "training_step must take a batch, found training_step(dataloader_iter): callbacks never see the batch that "
            "such a step fetches. Take (batch, batch_idx), or call comixup_batch inside the step."
        )


def check_strategy(trainer: pl.Trainer, clean_weight: float) -> None:
    """Check that the parameters' gradients can be kept.

    Raises:
        ValueError: If a wrapper shards the parameters and clean_weight > 0.
    """
    if clean_weight > 0 and shards_outside(trainer.strategy):
        raise ValueError(
            "clean_weight must be 0 with a strategy whose wrapper shards the parameters, found "
            f"{clean_weight} with {type(trainer.strategy).__name__}: the module does not see their clean gradients, "
            "which would be missing silently. Use ModelParallelStrategy (FSDP2), or CoMixup(clean_weight=0)."
        )


def check_clean_gradient(trainer: pl.Trainer, module: pl.LightningModule, settings: MixingSettings) -> None:
    """Check that the fallback of the clean gradient is exact with the strategy.

    Raises:
        ValueError: If DistributedDataParallel was told that its graph is static.
    """
    own_backward = settings.clean_weight > 0 and overrides(module, "backward")
    static = getattr(trainer.strategy, "_ddp_kwargs", {}).get("static_graph")
    if static and (settings.clean_gradient == "backward" or own_backward):
        raise ValueError(
            "The clean gradient must not come from a backward with static_graph=True, found "
            f"{'a backward() of the module' if own_backward else 'clean_gradient=' + repr('backward')}: it would count "
            'as one of the graph\'s. Use clean_gradient="grad" with non-reentrant checkpointing; with a backward() of '
            "the module also clean_weight=0."
        )


def check_optimization(module: pl.LightningModule, clean_weight: float, manual_optimization: bool) -> None:
    """Check that manual optimization was thought of.

    Raises:
        ValueError: If the module optimizes manually, clean_weight > 0 and the user did not opt in.
    """
    if clean_weight > 0 and not module.automatic_optimization and not manual_optimization:
        raise ValueError(
            "Manual optimization must be opted in, found manual_optimization=False: the clean gradient is "
            "added when the module calls self.manual_backward(loss), once per batch, after its zero_grad(). If yours "
            "does, pass CoMixup(manual_optimization=True); with loss / N for N batches per step also clean_weight=1/N, "
            "which the callback cannot see. Else use clean_weight=0."
        )


def check_linear_targets(module: pl.LightningModule, settings: MixingSettings) -> None:
    """Check that targets that are no classes have a clean loss of their own.

    Raises:
        ValueError: If cross-entropy would be differentiated.
    """
    needs_loss = settings.clean_weight > 0 or settings.saliency is None
    if settings.linear_targets and needs_loss and has_default_loss(module):
        raise ValueError(
            "comixup_clean_loss must be overridden with linear_targets=True, found cross-entropy, the default. Inherit "
            "from CoMixupMixin and write the loss of your targets, such as binary cross-entropy of each label."
        )
