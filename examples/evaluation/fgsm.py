"""Images under the fast gradient sign method (Goodfellow et al., ICLR 2015)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from captum.robust import FGSM
from torch import Tensor, nn
from torch.nn import functional as F

from examples.evaluation.normalization import Normalization
from examples.evaluation.source import Batch


def attack(network: nn.Module, batch: Batch, epsilon: float, normalization: Normalization) -> Tensor:
    """Move every pixel by epsilon in the direction that raises the cross-entropy, and clip to valid pixels.

    Args:
        network: The network, in evaluation mode, for normalised images.
        batch: Normalised images and their targets.
        epsilon: Size of the change, for pixels from 0 to 1.
        normalization: The normalisation of the images.

    Returns:
        (B, C, H, W) normalised images.
    """

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits, targets, reduction="none")

    method = FGSM(lambda pixels: network(normalization.from_pixels(pixels)), loss, lower_bound=0, upper_bound=1)
    # By default, tiny gradients count as 0, which would spare the images that the network is sure about.
    method.zero_thresh = 0.0
    pixels = normalization.to_pixels(batch.images.detach()).requires_grad_()
    return normalization.from_pixels(method.perturb(pixels, epsilon, batch.targets).detach())


def attacked(
    network: nn.Module, batches: Iterable[Batch], epsilon: float, normalization: Normalization
) -> Iterator[Batch]:
    """Yield attacked batches."""
    for batch in batches:
        yield batch._replace(images=attack(network, batch, epsilon, normalization))
