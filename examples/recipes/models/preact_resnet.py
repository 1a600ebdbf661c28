"""Pre-activation ResNets of basic blocks for small images.

Source: He, Zhang, Ren, Sun, "Identity Mappings in Deep Residual Networks", ECCV 2016.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class PreActBlock(nn.Module):
    """Two 3 × 3 convolutions, each after BatchNorm and ReLU, added to the input or to its projection."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        """Build the block.

        Args:
            channels_in: Channels of the input.
            channels: Channels of the output.
            stride: Stride of the first convolution and of the projection.
        """
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels_in)
        self.convolution1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.convolution2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        keeps_shape = stride == 1 and channels_in == channels
        self.projection = None if keeps_shape else nn.Conv2d(channels_in, channels, 1, stride, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (B, channels, H / stride, W / stride)."""
        activated = F.relu(self.norm1(inputs))
        shortcut = inputs if self.projection is None else self.projection(activated)
        outputs = self.convolution2(F.relu(self.norm2(self.convolution1(activated))))
        return outputs + shortcut


class PreActResNet(nn.Module):
    """A pre-activation ResNet for (B, in_channels, H, W), by default the PreActResNet-18 of the mixup papers."""

    def __init__(
        self,
        num_classes: int,
        blocks: Sequence[int] = (2, 2, 2, 2),
        width: int = 64,
        in_channels: int = 3,
        first_stride: int = 1,
        last_norm: bool = False,
    ) -> None:
        """Build the network.

        Args:
            num_classes: Number K of logits.
            blocks: Blocks in each stage. Each stage after the first halves the resolution and doubles the channels.
            width: Channels of the first stage.
            in_channels: Channels of the input.
            first_stride: Stride of the first convolution: 1 for 32 × 32, 2 for 64 × 64.
            last_norm: Whether BatchNorm and ReLU precede the pooling, as in the paper. Co-Mixup's authors omit them.
        """
        super().__init__()
        widths = [width * 2**stage for stage in range(len(blocks))]
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 3, first_stride, padding=1, bias=False)]
        before = width
        for stage, (count, channels) in enumerate(zip(blocks, widths, strict=True)):
            for block in range(count):
                stride = 2 if block == 0 and stage > 0 else 1
                layers.append(PreActBlock(before, channels, stride))
                before = channels
        if last_norm:
            layers += [nn.BatchNorm2d(before), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(before, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes)."""
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits
