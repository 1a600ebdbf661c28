"""ResNeXt for small images.

Source: Xie, Girshick, Dollár, Tu, He, "Aggregated Residual Transformations for Deep Neural Networks", CVPR 2017,
section 5.2: three stages of bottlenecks with 64, 128 and 256 channels before their expansion.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from examples.recipes.models.initialisation import initialise_convolutions

_WIDTHS = (64, 128, 256)
_EXPANSION = 4  # of a bottleneck's outputs
_LAYERS_PER_BLOCK = 3
_LAYERS_OUTSIDE_BLOCKS = 2  # the first convolution and the head


class Bottleneck(nn.Module):
    """1 × 1 reduction, grouped 3 × 3 convolution, 1 × 1 expansion, added to the input or to its projection."""

    def __init__(self, channels_in: int, channels: int, inner: int, cardinality: int, stride: int) -> None:
        """Build the block.

        Args:
            channels_in: Channels of the input.
            channels: Channels of the output.
            inner: Channels of the grouped convolution.
            cardinality: Groups of that convolution.
            stride: Stride of that convolution and of the projection.
        """
        super().__init__()
        self.branch = nn.Sequential(
            *_normed(nn.Conv2d(channels_in, inner, 1, bias=False)),
            nn.ReLU(),
            *_normed(nn.Conv2d(inner, inner, 3, stride, padding=1, groups=cardinality, bias=False)),
            nn.ReLU(),
            *_normed(nn.Conv2d(inner, channels, 1, bias=False)),
        )
        keeps_shape = stride == 1 and channels_in == channels
        projection = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
        self.shortcut = nn.Identity() if keeps_shape else nn.Sequential(*_normed(projection))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (B, channels, H / stride, W / stride)."""
        return F.relu(self.branch(inputs) + self.shortcut(inputs))


class ResNeXt(nn.Module):
    """ResNeXt-depth, cardinality × base_width d, for (B, 3, H, W), by default ResNeXt-29, 4 × 24d."""

    def __init__(self, num_classes: int, depth: int = 29, cardinality: int = 4, base_width: int = 24) -> None:
        """Build the network.

        Args:
            num_classes: Number K of logits.
            depth: 9 n + 2 for n blocks in each of the three stages.
            cardinality: Groups of the 3 × 3 convolutions.
            base_width: Channels of each group in the first stage.

        Raises:
            ValueError: If there is no network with that depth.
        """
        super().__init__()
        blocks, remainder = divmod(depth - _LAYERS_OUTSIDE_BLOCKS, _LAYERS_PER_BLOCK * len(_WIDTHS))
        if remainder or blocks < 1:
            raise ValueError(f"depth must be 9 n + 2 with n of at least 1, found {depth}. Use 11, 20, 29, ...")
        layers: list[nn.Module] = [*_normed(nn.Conv2d(3, _WIDTHS[0], 3, padding=1, bias=False)), nn.ReLU()]
        before = _WIDTHS[0]
        for stage, width in enumerate(_WIDTHS):
            inner = cardinality * base_width * width // _WIDTHS[0]
            for block in range(blocks):
                stride = 2 if block == 0 and stage > 0 else 1
                layers.append(Bottleneck(before, _EXPANSION * width, inner, cardinality, stride))
                before = _EXPANSION * width
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(before, num_classes)
        initialise_convolutions(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes)."""
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits


def _normed(convolution: nn.Conv2d) -> tuple[nn.Module, nn.Module]:
    return convolution, nn.BatchNorm2d(convolution.out_channels)
