"""The saliency: how much the loss reacts to each position of each input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lightning_comixup.hyperparameters import check_function
from lightning_comixup.losses import soft_target_loss
from lightning_comixup.tensor_checks import check_inputs

LossFunction = Callable[[Tensor, Tensor], Tensor]


def compute_saliency(module: nn.Module, inputs: Tensor, targets: Tensor, loss_fn: LossFunction | None = None) -> Tensor:
    """Return the saliency of a batch: sqrt(mean over channels of (∂loss/∂input)²), section 3 of the paper.

    The module runs once forwards and backwards in eval mode; its mode, its parameters' gradients and the inputs stay as
    they are. Under an autocast context the pass uses it.

    Args:
        module: Maps inputs to logits.
        inputs: (B, C, *spatial), floating.
        targets: What the loss takes: (B,) integer or (B, K) class probabilities for the default.
        loss_fn: Maps (logits, targets) to a scalar; None: cross-entropy.

    Returns:
        (B, *spatial), float32 (float64 for float64 inputs), on the inputs' device.

    Raises:
        TypeError: If `module` is no module, `loss_fn` no function, inputs no floating tensor, or the loss no tensor.
        ValueError: If the inputs' shape is another, the loss is not a scalar or does not depend on the inputs, or
            logits and targets do not fit the default loss.
        RuntimeError: If it is called in inference mode, which records no gradients.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, found {module!r}. Wrap a function into one.")
    if loss_fn is not None:
        advice = "Leave it None for cross-entropy; of a class, such as nn.NLLLoss, make an instance."
        check_function("loss_fn", loss_fn, "(logits, targets)", advice=advice)
    check_inputs(inputs)
    _check_mode(inputs)
    leaf = differentiable_copy(inputs)
    with eval_mode(module), torch.enable_grad():
        logits = module(as_nonleaf(leaf))
        loss = soft_target_loss(logits, targets, "ce") if loss_fn is None else loss_fn(logits, targets)
        check_clean_loss(loss)
        (gradient,) = torch.autograd.grad(loss, [leaf], allow_unused=True)
    return saliency_of_gradient(require_gradient(gradient))


def _check_mode(inputs: Tensor) -> None:
    if torch.is_inference_mode_enabled() or inputs.is_inference():
        raise RuntimeError(
            "compute_saliency must be able to record gradients, found inference mode. Use "
            "Trainer(inference_mode=False) or torch.no_grad() instead, and clone inputs that were made in it."
        )


def saliency_of_gradient(gradient: Tensor) -> Tensor:
    """Return sqrt(mean over channels of gradient²): (B, C, *spatial) to (B, *spatial), at least float32.

    In half precision the squares of small gradients would vanish.
    """
    wide = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
    return wide.square().mean(dim=1).sqrt()


def differentiable_copy(inputs: Tensor) -> Tensor:
    """Return a leaf that shares the inputs' memory and records a gradient."""
    return inputs.detach().requires_grad_()


def as_nonleaf(leaf: Tensor) -> Tensor:
    """Return a copy that a module may change in place, which autograd forbids for leaves."""
    return leaf * 1


def require_gradient(gradient: Tensor | None) -> Tensor:
    """Return the inputs' gradient.

    Raises:
        ValueError: If there is none.
    """
    if gradient is None:
        raise ValueError(
            "The loss must depend on the inputs for their saliency to exist, found no gradient at them: the module "
            "detaches its input, or runs its forward without grad. Remove the detach(), or override "
            "`comixup_clean_loss` to differentiate with respect to the tensor it is given."
        )
    return gradient


def check_clean_loss(loss: Tensor) -> None:
    """Check that the loss of the clean batch is a scalar with a graph.

    Raises:
        TypeError: If it is no tensor.
        ValueError: If it is not a scalar or does not require grad.
    """
    if not isinstance(loss, Tensor):
        raise TypeError(f"The clean loss must be a tensor, found {type(loss).__name__}. Return the loss alone.")
    if loss.numel() != 1:
        raise ValueError(
            f"The clean loss must be a scalar, found shape {tuple(loss.shape)}. Average it over the batch."
        )
    if not loss.requires_grad:
        require_gradient(None)


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Switch every submodule to eval mode and afterwards back to its own mode.

    `module.train()` afterwards would un-freeze a BatchNorm that the user keeps in eval mode. Recurrent layers keep
    their mode: cuDNN has no backward for them in eval mode.
    """
    modes = [(part, part.training) for part in module.modules()]
    try:
        for part, _ in modes:
            part.training = part.training and isinstance(part, nn.RNNBase)
        yield
    finally:
        for part, training in modes:
            part.training = training
