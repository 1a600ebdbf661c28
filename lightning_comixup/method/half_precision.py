"""The saliency in float16, where the small gradients of a confident network would vanish.

The gradient at the logits is scaled to a size that float16 represents well, and the saliency is divided by the same
scale in float32. Scales are powers of two, so that neither operation rounds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_comixup.method.differentiation import require_gradient
from lightning_comixup.soft_targets.losses import soft_target_loss
from lightning_comixup.validation import widen

# The scaled gradient's largest value at the logits lies between two to this power and twice that: layers may shrink it
# by 2**18 before digits get lost, and enlarge it by 2**11 before it overflows. Heuristic; a loss scaler starts far
# higher.
_EXPONENT = 4
# The smallest number above 0 in float16, and the lower bound of a gradient measured in float16.
_LOWEST = 2.0**-24
# The largest power of two in float16, and so the largest scale that a loss in float16 can have.
_HIGHEST = 2.0**15
# The largest scale overall. The scale of a gradient of 0 would overflow, and 0 times infinity is NaN. Heuristic.
_HIGHEST_SCALE = 2.0**100


def computes_in_half(outputs: object, inputs: Tensor) -> bool:
    """Whether a module computes its outputs in float16, where gradients below 2**-24 vanish."""
    if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
        return False
    if torch.float16 in (outputs.dtype, inputs.dtype):
        return True
    device = inputs.device.type
    has_autocast = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return has_autocast and torch.get_autocast_dtype(device) == torch.float16


def scaled_class_gradient(module: nn.Module, logits: Tensor, targets: Tensor, leaf: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradient of the cross-entropy at the leaf, multiplied by one scale per sample, and the scales (B,).

    The loss is differentiated in float32 down to the logits. Each sample has its own scale, because the gradient of a
    confident sample may be millions of times smaller than another's.
    """
    wide = widen(logits.detach()).requires_grad_()
    (at_logits,) = torch.autograd.grad(soft_target_loss(wide, targets), [wide])
    largest = at_logits.abs().amax(1)
    if _mixes_samples(module):
        largest = largest.max().expand_as(largest)
    scales = _scale(largest)
    at_logits = (at_logits * scales.unsqueeze(1)).to(logits.dtype)
    if not logits.requires_grad:
        require_gradient(None)
    (gradient,) = torch.autograd.grad([logits], [leaf], [at_logits], allow_unused=True)
    return require_gradient(gradient), scales


def scaled_gradient(loss: Tensor, logits: Tensor, leaf: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradient of the user's loss at the leaf, multiplied by a scale, and the scale ().

    The loss cannot be split into samples, so they all share one scale. A loss that depends only on other outputs of the
    module than the logits is not scaled.
    """
    scale = torch.ones((), device=leaf.device)
    if logits.requires_grad:
        (at_logits,) = torch.autograd.grad(loss, [logits], retain_graph=True, allow_unused=True)
        if at_logits is not None:
            scale = _scale(widen(at_logits).abs().max().clamp(min=_LOWEST))
    if loss.dtype == torch.float16:
        scale = scale.clamp(max=_HIGHEST)
    (gradient,) = torch.autograd.grad(loss * scale, [leaf], allow_unused=True)
    return require_gradient(gradient), scale


def _scale(largest: Tensor) -> Tensor:
    exponents = torch.log2(largest.clamp(min=torch.finfo(torch.float32).tiny)).floor()
    return torch.exp2(_EXPONENT - exponents).clamp(max=_HIGHEST_SCALE)


def _mixes_samples(module: nn.Module) -> bool:
    """Whether a sample's gradient depends on the losses of other samples, so that all need the same scale."""
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
    return any(isinstance(part, kinds) and part.running_mean is None for part in module.modules())
