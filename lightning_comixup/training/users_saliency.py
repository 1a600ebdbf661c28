"""Calling a saliency that the user wrote, and leaving no trace of it in the module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import lightning.pytorch as pl
import torch
from torch import Tensor

from lightning_comixup.method.channels import channels_first
from lightning_comixup.training.clean_gradient import cleared_gradients
from lightning_comixup.training.config import SaliencyFunction
from lightning_comixup.validation import check_device, check_saliency


def call_users_saliency(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    saliency: SaliencyFunction,
    inputs: Tensor,
    targets: Tensor,
    channel_dim: int | None,
) -> Tensor:
    """Return the saliency (B, *spatial) of a user's function, checked and detached.

    It may run a backward, switch modes or freeze layers: gradients, modes and `requires_grad` are afterwards what they
    were.

    Raises:
        RuntimeError: If it leaves hooks behind.
        TypeError: If it does not return a dense floating tensor.
        ValueError: If that has another shape or device.
    """
    with _restored(module), trainer.precision_plugin.forward_context(), torch.enable_grad():
        found = saliency(module, inputs, targets)
    check_saliency(found, channels_first(inputs, channel_dim))
    check_device("saliency", found, inputs)
    return found.detach()


@contextmanager
def _restored(module: pl.LightningModule) -> Iterator[None]:
    """Restore gradients, modes and `requires_grad` of a module."""
    parts, parameters = list(module.modules()), list(module.parameters())
    modes, required = [part.training for part in parts], [parameter.requires_grad for parameter in parameters]
    hooks = _count_hooks(parts)
    try:
        with cleared_gradients(parameters):
            yield
    finally:
        for part, training in zip(parts, modes, strict=True):
            part.training = training
        for parameter, requires in zip(parameters, required, strict=True):
            parameter.requires_grad_(requires)
    if _count_hooks(parts) != hooks:
        raise RuntimeError(
            "A saliency function must remove the hooks that it adds to the module, found some left: each step would "
            "add more. Call `.remove()` on what `register_forward_hook` returns."
        )


def _count_hooks(parts: list[torch.nn.Module]) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) + len(part._backward_hooks) for part in parts)
