"""The clean pass: one forward and backward of the module on the clean batch, for saliency and clean gradient."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple

import lightning.pytorch as pl
import torch
from torch import Tensor

from lightning_comixup.method.channels import channels_first, restore_channels
from lightning_comixup.method.differentiation import (
    check_clean_loss,
    differentiable_copy,
    eval_mode,
    require_gradient,
)
from lightning_comixup.method.saliency import saliency_of_gradient
from lightning_comixup.soft_targets.targets import flatten_labels
from lightning_comixup.training.batch_reader import CleanBatch
from lightning_comixup.training.call_origin import is_raised_by_us, users_line
from lightning_comixup.training.clean_gradient import (
    CleanGradient,
    check_hooks,
    check_leaves,
    check_reached,
    cleared_gradients,
    trained_parameters,
)
from lightning_comixup.training.clean_loss import compute_clean_loss
from lightning_comixup.training.config import MixingConfig
from lightning_comixup.training.lightning_internals import overrides, shards_in_place
from lightning_comixup.training.run_state import RunState
from lightning_comixup.training.target_kind import TargetKind

_UNSEEN = "CoMixup relies on num_classes and linear_targets for the kind of the targets, since training_step failed"


class CleanPass(NamedTuple):
    """The results of the clean pass."""

    saliency: Tensor | None  # (B, *spatial); None if it was not asked for
    gradient: CleanGradient | None  # None with clean_weight = 0
    loss: Tensor  # the clean loss before its weight, detached
    logits: Tensor | None  # the module's output, if it is known and a floating-point (B, K)
    targets: Tensor  # for the inputs of this pass: all of the batch's targets, or those of its mixed groups
    target_kinds: tuple[TargetKind, ...]  # of the targets, and of each part of `also_average`


def run_clean_pass(
    trainer: pl.Trainer, module: pl.LightningModule, clean: CleanBatch, config: MixingConfig, run: RunState
) -> CleanPass | None:
    """Differentiate the clean loss once, with respect to the inputs and (if clean_weight > 0) the parameters.

    The unwrapped module is called instead of its distributed wrapper, because the mixed backward reduces the sum of
    both gradients once. With clean_weight > 0 modules stay in their modes, so that BatchNorm sees both batches (as in
    the authors' code). With 0 they are in eval mode during the pass. The scaling that Lightning applies to the mixed
    loss (accumulation, GradScaler) is applied to the clean loss and not to its gradients: small fp16 gradients would be
    lost.

    Returns:
        The results, or None if the step returned no loss in order to skip the batch.
    """
    with_saliency, weight = config.has_saliency_of_clean_pass, config.clean_weight
    backward = config.clean_gradient == "backward" or (weight > 0 and _needs_backward(trainer, module))
    inputs, *others = _inputs_of_pass(clean, config)
    # The module may change its copy of the inputs in place.
    leaf, copy = differentiable_copy(inputs) if with_saliency else (inputs, inputs.clone())
    modes = nullcontext() if weight > 0 else eval_mode(module)
    all_parameters = [*module.parameters(), *trained_parameters(trainer, module)] if backward else []
    with modes, cleared_gradients(all_parameters), torch.enable_grad():
        # Only the forward is autocast, as in Lightning itself: autocast around a backward would also affect operations
        # for which the module has switched it off.
        with trainer.precision_plugin.forward_context(), run.gradient_flags.settable(module):
            found = compute_clean_loss(trainer, module, clean, [copy, *others], config, run)
        if found is None:
            return None
        check_clean_loss(found.loss)
        # Read the parameters only after the step, which may freeze or thaw layers.
        parameters = trained_parameters(trainer, module) if weight > 0 else []
        if run.target_kinds is None and parameters and not shards_in_place(trainer.strategy):
            check_leaves(found.loss, [leaf, *parameters])
            check_hooks(parameters if backward else [])
        # With a weight of 0 only the saliency matters. Its scale cancels, since each map is divided by its sum.
        scaled = _scale_like_mixed_loss(trainer, module, found.loss, weight or 1.0)
        sources = [*([leaf] if with_saliency else []), *parameters]
        gradients = list(_gradients_of_backward(module, scaled, sources) if backward else _gradients(scaled, sources))
    at_inputs = gradients.pop(0) if with_saliency else None
    check_reached(trainer, parameters, gradients)
    saliency = _saliency(at_inputs, clean.parts.inputs, config) if with_saliency else None
    gradient = CleanGradient(parameters, gradients) if weight > 0 else None
    targets = flatten_labels(clean.parts.targets)
    return CleanPass(saliency, gradient, found.loss.detach(), found.logits, targets, found.target_kinds)


def show_target_kinds(
    trainer: pl.Trainer, module: pl.LightningModule, clean: CleanBatch, config: MixingConfig, run: RunState
) -> bool:
    """Run the module's step on a clean batch to learn the kind of its targets, if no clean pass is needed.

    With manual optimization nothing is run, since the call would not be the module's own step. A step that only works
    in training mode fails here. That failure is ignored if the configuration determines the kind of the targets.

    Returns:
        Whether the batch can be mixed, which is False if the step returned no loss.
    """
    if not module.automatic_optimization:
        return True
    inputs = [clean.parts.inputs.clone(), *clean.parts.others]
    modes, forward = eval_mode(module), trainer.precision_plugin.forward_context()
    try:
        with modes, forward, torch.enable_grad(), run.gradient_flags.settable(module):
            found = compute_clean_loss(trainer, module, clean, inputs, config, run, for_metrics=False)
    except Exception as error:
        if is_raised_by_us(error) or (config.num_classes is None and config.linear_targets is None):
            raise
        run.say(f"{_UNSEEN}: {type(error).__name__} at {users_line(error)}, in eval mode.")
        return True
    if found is not None:
        run.target_kinds = found.target_kinds
    return found is not None


def _inputs_of_pass(clean: CleanBatch, config: MixingConfig) -> list[Tensor]:
    """Return the inputs for the module and the parts of `also_mix`, all shrunk if the saliency requires it.

    A step may combine its inputs position by position, so each must shrink by the same factor.
    """
    if config.low_resolution is None:
        return clean.inputs()
    shrink, dim = config.low_resolution.shrink, config.channel_dim
    return [restore_channels(shrink(channels_first(part, dim)), dim) for part in clean.inputs()]


def _saliency(gradient: Tensor | None, inputs: Tensor, config: MixingConfig) -> Tensor:
    """Return the saliency (B, *spatial) from the gradient, in the full size of the batch's inputs."""
    saliency = saliency_of_gradient(channels_first(require_gradient(gradient), config.channel_dim))
    if config.low_resolution is None:
        return saliency
    return config.low_resolution.enlarge(saliency, channels_first(inputs, config.channel_dim).shape[2:])


def _gradients(loss: Tensor, sources: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """Return the gradients of the loss without touching any `.grad`."""
    if not sources:  # the saliency comes from the user, and there is no optimizer
        return []
    try:
        return torch.autograd.grad(loss, sources, allow_unused=True)
    except RuntimeError as error:
        if "use_reentrant" not in str(error):
            raise
        raise RuntimeError(
            "Checkpointing must be non-reentrant for the clean pass, found use_reentrant=True in the module. Pass "
            'use_reentrant=False to torch.utils.checkpoint, or CoMixup(clean_gradient="backward").'
        ) from error


def _needs_backward(trainer: pl.Trainer, module: pl.LightningModule) -> bool:
    """Whether only the module's backward gives the right gradients: with shards, or if the user overrides backward."""
    return shards_in_place(trainer.strategy) or overrides(module, "backward")


def _gradients_of_backward(module: pl.LightningModule, loss: Tensor, sources: Sequence[Tensor]) -> list[Tensor | None]:
    """Return the gradients that a backward leaves in each `.grad`. Like any backward it triggers parameter hooks."""
    module.backward(loss)
    return [source.grad for source in sources]


def _scale_like_mixed_loss(trainer: pl.Trainer, module: pl.LightningModule, loss: Tensor, weight: float) -> Tensor:
    """Weight the loss, and scale it in the same way as Lightning scales the mixed loss before its backward."""
    if weight != 1:
        loss = loss * weight
    if module.automatic_optimization and trainer.accumulate_grad_batches != 1:
        loss = loss / trainer.accumulate_grad_batches
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    return loss if scaler is None else scaler.scale(loss)
