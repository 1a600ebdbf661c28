"""Calling the user's saliency function without leaving traces in the module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from lightning_comixup.method.channels import channels_first
from lightning_comixup.saliencies.input_saliency import InputSaliency
from lightning_comixup.training.clean_gradient import cleared_gradients
from lightning_comixup.training.config import SaliencyFunction
from lightning_comixup.training.derived_tensors import versions
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

    The function may run a backward, switch modes or freeze layers. Gradients, modes and `requires_grad` are restored
    afterwards.

    Raises:
        RuntimeError: If the function leaves hooks behind.
        TypeError: If it does not return a dense floating-point tensor.
        ValueError: If its result has the wrong shape or device, or the function changes the batch.
    """
    if isinstance(saliency, InputSaliency):  # it touches neither the module nor the batch
        return saliency(module, channels_first(inputs, channel_dim), targets)
    earlier = versions([inputs, targets])
    with _restored(module), trainer.precision_plugin.forward_context(), torch.enable_grad():
        found = saliency(module, inputs, targets)
    if versions([inputs, targets]) != earlier:
        raise ValueError(
            "A saliency function must not change the batch in place, found that it does: the changed inputs or targets "
            "would be mixed. Copy them first with `inputs.clone()`."
        )
    check_saliency(found, channels_first(inputs, channel_dim))
    check_device("saliency", found, inputs)
    return found.detach()


@contextmanager
def _restored(module: pl.LightningModule) -> Iterator[None]:
    """Restore gradients, modes and `requires_grad` of a module."""
    parts, parameters = list(module.modules()), list(module.parameters())
    modes, required = [part.training for part in parts], [parameter.requires_grad for parameter in parameters]
    hooks = _find_hooks(parts, parameters)
    try:
        with cleared_gradients(parameters):
            yield
    finally:
        for part, training in zip(parts, modes, strict=True):
            part.training = training
        for parameter, requires in zip(parameters, required, strict=True):
            parameter.requires_grad_(requires)
    if _find_hooks(parts, parameters) != hooks:
        raise RuntimeError(
            "A saliency function must remove the hooks that it adds to the module or its parameters, found some left: "
            "each step would add more. Call `.remove()` on the handle that `register_forward_hook` and the like return."
        )


def _find_hooks(parts: list[torch.nn.Module], parameters: list[torch.nn.Parameter]) -> list[tuple[Any, ...]]:
    """Return the ids of all hooks. A hook that replaces another has a new id."""
    of_modules = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    of_parameters = ("_backward_hooks", "_post_accumulate_grad_hooks")  # None where there are none
    hooks = [getattr(part, name) for part in parts for name in of_modules]
    hooks += [getattr(parameter, name) or {} for parameter in parameters for name in of_parameters]
    return [tuple(found) for found in hooks]
