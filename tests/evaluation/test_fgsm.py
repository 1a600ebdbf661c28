from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from examples.evaluation.fgsm import attack
from examples.evaluation.normalization import Normalization
from examples.evaluation.source import Batch

_EPSILON = 8 / 255


def _linear(bias: float = 0.0) -> nn.Module:
    """Return logits (0, w · x + bias) for w = (1, -1, 1, -1)."""
    head = nn.Linear(4, 2)
    head.weight.data = torch.tensor([[0.0, 0, 0, 0], [1, -1, 1, -1]])
    head.bias.data = torch.tensor([0, bias])
    return nn.Sequential(nn.Flatten(), head)


@pytest.mark.parametrize(("target", "direction"), [(0, 1), (1, -1)])
def test_a_linear_network(target: int, direction: int) -> None:
    normalization = Normalization([0.5], [0.25])
    pixels = torch.tensor([0.5, 0.5, 0.99, 0.01]).view(1, 1, 2, 2)
    batch = Batch(normalization.from_pixels(pixels), torch.tensor([target]))
    found = normalization.to_pixels(attack(_linear(), batch, _EPSILON, normalization)).flatten()
    # Towards class 1, pixels of weight 1 grow and pixels of weight -1 shrink, but all stay in [0, 1].
    moved = pixels.flatten() + direction * _EPSILON * torch.tensor([1.0, -1, 1, -1])
    torch.testing.assert_close(found, moved.clamp(0, 1))


def test_a_confident_network_is_attacked_too() -> None:
    normalization = Normalization([0.0], [1.0])
    batch = Batch(torch.full((1, 1, 2, 2), 0.5), torch.tensor([1]))
    # The logits are 0 and 14.5, so the gradient is 5e-7 in every pixel.
    changed = attack(_linear(bias=14.5), batch, _EPSILON, normalization) - batch.images
    assert changed.abs().flatten().tolist() == pytest.approx([_EPSILON] * 4, abs=1e-6)


def test_images_are_attacked_independently() -> None:
    normalization = Normalization([0.0], [1.0])
    draws = torch.Generator().manual_seed(0)
    images, targets = torch.rand(6, 1, 2, 2, generator=draws), torch.tensor([0, 1, 0, 1, 1, 0])
    together = attack(_linear(), Batch(images, targets), _EPSILON, normalization)
    alone: list[Tensor] = [
        attack(_linear(), Batch(image[None], target[None]), _EPSILON, normalization)
        for image, target in zip(images, targets, strict=True)
    ]
    assert torch.equal(together, torch.cat(alone))
    assert not images.requires_grad
