"""Differentiating a loss with respect to a module's inputs, for both `compute_saliency` and the clean pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def differentiable_copy(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return a leaf that shares the inputs' memory, and a copy of it for the module.

    The gradient arrives at the leaf. The module may change the copy in place, which autograd forbids for leaves.
    """
    leaf = inputs.detach().requires_grad_()
    with torch.enable_grad():
        return leaf, leaf.clone()


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Switch every submodule to eval mode, then back to its own mode on exit.

    A plain `module.train()` on exit would unfreeze a BatchNorm that the user keeps in eval mode. Recurrent layers keep
    their mode, since cuDNN has no backward for them in eval mode.
    """
    modes = [(part, part.training) for part in module.modules()]
    try:
        for part, _ in modes:
            part.training = part.training and isinstance(part, nn.RNNBase)
        yield
    finally:
        for part, training in modes:
            part.training = training


def check_clean_loss(loss: Tensor) -> None:
    """Check that the loss of the clean batch is a scalar with a graph.

    Raises:
        TypeError: If it is not a tensor.
        ValueError: If it is not a scalar or does not require a gradient.
    """
    if not isinstance(loss, Tensor):
        raise TypeError(f"The clean loss must be a tensor, found {type(loss).__name__}. Return the loss alone.")
    if loss.numel() != 1:
        raise ValueError(
            f"The clean loss must be a scalar, found shape {tuple(loss.shape)}. Average it over the batch."
        )
    if not loss.requires_grad:
        require_gradient(None)


def require_gradient(gradient: Tensor | None) -> Tensor:
    """Return the inputs' gradient.

    Raises:
        ValueError: If there is none.
    """
    if gradient is None:
        raise ValueError(
            "The loss must depend on the inputs for their saliency to exist, found no gradient at them: the module "
            "detaches its input, or runs its forward without grad. Remove the detach(), or override "
            "`comixup_clean_loss` to differentiate with respect to the tensor it receives. If frozen features are "
            "computed without grad, pass your own function as CoMixup(saliency=...)."
        )
    return gradient
