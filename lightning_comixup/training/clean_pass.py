"""The clean pass: one forward and backward of the module on the clean batch, for saliency and clean gradient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from lightning_comixup.method.channels import channels_first
from lightning_comixup.method.differentiation import (
    check_clean_loss,
    differentiable_copy,
    eval_mode,
    require_gradient,
)
from lightning_comixup.method.saliency import saliency_of_gradient
from lightning_comixup.soft_targets.losses import clean_loss
from lightning_comixup.training.clean_gradient import CleanGradient, trained_parameters
from lightning_comixup.training.config import CleanGradientMethod
from lightning_comixup.training.lightning_internals import call_module, overrides, shards_in_place
from lightning_comixup.training.mixin import CoMixupMixin, has_default_loss


class CleanPass(NamedTuple):
    """The results of the clean pass."""

    saliency: Tensor | None  # (B, *spatial); None if it was not asked for
    gradient: CleanGradient | None  # None with clean_weight = 0
    loss: Tensor  # the clean loss before its weight, detached
    logits: Tensor | None  # (B, K); None where the user's own loss is computed from them


def run_clean_pass(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    inputs: Tensor,
    targets: Tensor,
    *,
    clean_weight: float,
    clean_gradient: CleanGradientMethod,
    with_saliency: bool,
    channel_dim: int | None,
) -> CleanPass:
    """Differentiate the clean loss once, with respect to the inputs and (clean_weight > 0) the optimizers' parameters.

    The unwrapped module is called, not its distributed wrapper and not `training_step`: the mixed backward reduces the
    sum of both gradients once, and nothing is logged twice. With clean_weight > 0 modules stay in their modes, so that
    BatchNorm sees both batches (as the authors have it); with 0 they are in eval mode meanwhile. The loss, not the
    gradients, is scaled as Lightning scales the mixed one (accumulation, GradScaler): small fp16 gradients would be
    lost.
    """
    parameters = trained_parameters(trainer) if clean_weight > 0 else []
    backward = clean_gradient == "backward" or (bool(parameters) and _needs_backward(trainer, module))
    # The module may change its copy of the inputs in place.
    leaf, copy = differentiable_copy(inputs) if with_saliency else (inputs, inputs.clone())
    modes = nullcontext() if clean_weight > 0 else eval_mode(module)
    without_gradients = _cleared_gradients([*module.parameters(), *parameters]) if backward else nullcontext()
    with modes, without_gradients, torch.enable_grad():
        # Only the forward is autocast, as in Lightning itself: a backward would be cast where the module opted out.
        with trainer.precision_plugin.forward_context():
            loss, logits = _clean_loss(trainer, module, copy, targets)
        check_clean_loss(loss)
        # With a weight of 0 only the saliency counts, whose scale cancels: each map is divided by its sum.
        scaled = _scale_like_mixed_loss(trainer, module, loss, clean_weight or 1.0)
        sources = [*([leaf] if with_saliency else []), *parameters]
        gradients = _gradients_of_backward(module, scaled, sources) if backward else _gradients(scaled, sources)
    gradient = CleanGradient(parameters, gradients[len(gradients) - len(parameters) :]) if clean_weight > 0 else None
    # The module and its loss get the inputs in the user's layout.
    first = channels_first(require_gradient(gradients[0]), channel_dim) if with_saliency else None
    saliency = None if first is None else saliency_of_gradient(first)
    return CleanPass(saliency, gradient, loss.detach(), None if logits is None else logits.detach())


def _clean_loss(
    trainer: pl.Trainer, module: pl.LightningModule, inputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Return the clean loss, and the logits unless the user's own loss is computed from them."""
    if not has_default_loss(module):
        return call_module(trainer.strategy, module, "comixup_clean_loss", inputs, targets), None
    logits = call_module(trainer.strategy, module, "forward", inputs)
    kind = module.comixup_loss_kind if isinstance(module, CoMixupMixin) else "ce"
    return clean_loss(logits, targets, kind), logits


def _gradients(loss: Tensor, sources: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """Return the gradients of the loss without touching any `.grad`."""
    if not sources:  # the user gives the saliency, and there is no optimizer
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
    """Whether only the module's backward gives the right gradients: those of shards, or of a backward of the user."""
    return shards_in_place(trainer.strategy) or overrides(module, "backward")


def _gradients_of_backward(module: pl.LightningModule, loss: Tensor, sources: Sequence[Tensor]) -> list[Tensor | None]:
    """Return the gradients that a backward leaves in each `.grad`; as any backward it fires the parameters' hooks."""
    module.backward(loss)
    return [source.grad for source in sources]


@contextmanager
def _cleared_gradients(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Clear every `.grad` for a backward, and restore it afterwards.

    This begins before the forward: FSDP2 exchanges a module's parameters between forward and backward.
    """
    earlier = [(parameter, parameter.grad) for parameter in {id(p): p for p in parameters}.values()]
    try:
        for parameter, _ in earlier:
            parameter.grad = None
        yield
    finally:
        for parameter, gradient in earlier:
            parameter.grad = gradient


def _scale_like_mixed_loss(trainer: pl.Trainer, module: pl.LightningModule, loss: Tensor, weight: float) -> Tensor:
    """Weight the loss, and scale it as Lightning will scale the mixed loss before its backward."""
    if weight != 1:
        loss = loss * weight
    if module.automatic_optimization and trainer.accumulate_grad_batches != 1:
        loss = loss / trainer.accumulate_grad_batches
    scaler = getattr(trainer.precision_plugin, "scaler", None)
    return loss if scaler is None else scaler.scale(loss)
