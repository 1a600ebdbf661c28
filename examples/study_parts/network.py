"""A small pre-activation ResNet for grey images of about 28 × 28.

Source: He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CLASSES = 10
_WIDTHS = (16, 32, 64)  # heuristic: a step must fit a study on two cores; 78,000 parameters


class Block(nn.Module):
    """Two convolutions, each after normalisation and rectification, beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        """Build the block."""
        super().__init__()
        self.first_norm = nn.BatchNorm2d(before)
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        changes_shape = stride > 1 or before != after
        self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False) if changes_shape else None

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the block's maps."""
        active = self.first_norm(inputs).relu()
        skipped = inputs if self.shortcut is None else self.shortcut(active)
        return self.second(self.second_norm(self.first(active)).relu()) + skipped


def make_resnet() -> nn.Module:
    """Return the network: one block at a half, a quarter and an eighth of the image's sides."""
    layers: list[nn.Module] = [nn.Conv2d(1, _WIDTHS[0], 3, 2, 1, bias=False)]
    before = _WIDTHS[0]
    for after in _WIDTHS:
        layers.append(Block(before, after, stride=1 if after == before else 2))
        before = after
    head = [nn.BatchNorm2d(before), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, CLASSES)]
    network = nn.Sequential(*layers, *head)
    # A sixth faster on the CPU. Torch's overloads for type checkers leave this argument out.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
