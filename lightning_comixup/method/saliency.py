"""The saliency: how strongly the loss reacts to each position of each input."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lightning_comixup.method.differentiation import (
    check_clean_loss,
    differentiable_copy,
    eval_mode,
    require_gradient,
)
from lightning_comixup.method.half_precision import computes_in_half, scaled_class_gradient, scaled_gradient
from lightning_comixup.soft_targets.losses import soft_target_loss
from lightning_comixup.validation import check_function, check_inputs, widen

LossFunction = Callable[[Tensor, Tensor], Tensor]

# Up to this many channels, adding squares channel by channel takes half as long on the CPU as squaring all at once,
# which fills new memory of the inputs' size. On a GPU the number of operations matters more. Heuristic.
_FEW_CHANNELS = 4


def compute_saliency(module: nn.Module, inputs: Tensor, targets: Tensor, loss_fn: LossFunction | None = None) -> Tensor:
    """Return the saliency of a batch: sqrt(mean over channels of (∂loss/∂input)²), section 3 of the paper.

    The module runs one forward and one backward in eval mode. Its mode, its parameters' gradients and the inputs are
    left unchanged. The pass runs under the current autocast context, if there is one. In float16 the loss is scaled and
    the saliency divided by the scale, so that small gradients do not vanish. For cross-entropy each sample has its own
    scale. For a `loss_fn`, which should then compute in float32 itself, all samples share one.

    Args:
        module: Maps inputs to logits.
        inputs: (B, C, *spatial), floating-point.
        targets: (B,) or (B, 1) integer, or (B, K) class probabilities. With a `loss_fn`, whatever it accepts.
        loss_fn: Maps (logits, targets) to a scalar. If None, the loss is the cross-entropy.

    Returns:
        (B, *spatial), float32 (float64 for float64 inputs), on the inputs' device.

    Raises:
        TypeError: If `module` is not a module, `loss_fn` is not a function, inputs are not a floating-point tensor, or
            the loss is not a tensor.
        ValueError: If the inputs have a different shape, the loss is not a scalar or does not depend on the inputs, or
            logits and targets do not fit the default loss.
        RuntimeError: If it is called in inference mode, which does not record gradients.
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, found {module!r}. Wrap a function into one.")
    if loss_fn is not None:
        advice = "Leave it None for cross-entropy. If it is a class, such as nn.NLLLoss, make an instance."
        check_function("loss_fn", loss_fn, "(logits, targets)", advice=advice)
    check_inputs(inputs)
    _check_mode(inputs)
    leaf, copy = differentiable_copy(inputs)
    with eval_mode(module), torch.enable_grad():
        logits = module(copy)
        is_half = computes_in_half(logits, inputs)
        if loss_fn is None and is_half:
            gradient, scale = scaled_class_gradient(module, logits, targets, leaf)
            return saliency_of_gradient(gradient) / scale.view(-1, *[1] * (inputs.ndim - 2))
        loss = soft_target_loss(logits, targets) if loss_fn is None else loss_fn(logits, targets)
        check_clean_loss(loss)
        if is_half:
            gradient, scale = scaled_gradient(loss, logits, leaf)
            return saliency_of_gradient(gradient) / scale
        (gradient,) = torch.autograd.grad(loss, [leaf], allow_unused=True)
    return saliency_of_gradient(require_gradient(gradient))


def saliency_of_gradient(gradient: Tensor) -> Tensor:
    """Return sqrt(mean over channels of gradient²): (B, C, *spatial) to (B, *spatial), in float32 or wider.

    In half precision, the squares of small gradients would vanish.
    """
    wide, channels = widen(gradient), gradient.shape[1]
    if channels > _FEW_CHANNELS or not wide.is_cpu:
        return wide.square().mean(dim=1).sqrt_()
    first, *others = wide.unbind(1)
    total = first.square()
    for channel in others:
        total.addcmul_(channel, channel)
    return total.div_(channels).sqrt_()


def _check_mode(inputs: Tensor) -> None:
    if torch.is_inference_mode_enabled() or inputs.is_inference():
        raise RuntimeError(
            "compute_saliency must be able to record gradients, found inference mode. Use "
            "Trainer(inference_mode=False) or torch.no_grad() instead, and clone inputs created in inference mode."
        )
