"""Wide residual networks for small images.

Source: Zagoruyko, Komodakis, "Wide Residual Networks", BMVC 2016.
"""

from __future__ import annotations

from torch import Tensor, nn

from examples.recipes.models.initialisation import initialise_convolutions
from examples.recipes.models.preact_resnet import PreActBlock

_FIRST_WIDTH = 16  # channels of the first convolution, before widening (the paper's table 1)
_STAGES = 3
_LAYERS_PER_BLOCK = 2
_LAYERS_OUTSIDE_BLOCKS = 4  # the first convolution and one projection per stage, as the paper counts the depth


class WideResNet(nn.Module):
    """WRN-depth-widening for (B, 3, H, W), by default WRN-16-8."""

    def __init__(self, num_classes: int, depth: int = 16, widening: int = 8) -> None:
        """Build the network.

        Args:
            num_classes: Number K of logits.
            depth: 6 n + 4 for n blocks in each of the three stages.
            widening: Factor k of the channels.

        Raises:
            ValueError: If there is no network with that depth.
        """
        super().__init__()
        blocks, remainder = divmod(depth - _LAYERS_OUTSIDE_BLOCKS, _LAYERS_PER_BLOCK * _STAGES)
        if remainder or blocks < 1:
            raise ValueError(f"depth must be 6 n + 4 with n of at least 1, found {depth}. Use 10, 16, 22, 28, ...")
        layers: list[nn.Module] = [nn.Conv2d(3, _FIRST_WIDTH, 3, padding=1, bias=False)]
        before = _FIRST_WIDTH
        for stage in range(_STAGES):
            channels = _FIRST_WIDTH * widening * 2**stage
            for block in range(blocks):
                stride = 2 if block == 0 and stage > 0 else 1
                layers.append(PreActBlock(before, channels, stride))
                before = channels
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(before), nn.ReLU())
        self.head = nn.Linear(before, num_classes)
        initialise_convolutions(self)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, num_classes)."""
        logits: Tensor = self.head(self.features(images).mean((2, 3)))
        return logits
