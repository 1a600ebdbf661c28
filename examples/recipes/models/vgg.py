"""VGG-11 for spectrograms.

Source: Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015,
configuration A, here with BatchNorm, one input channel and a narrower head.
"""

from __future__ import annotations

from torch import Tensor, nn

# Channels of the eight convolutions, as multiples of the first one's. None stands for a 2 × 2 pooling.
_CONFIGURATION_A = (1, None, 2, None, 4, 4, None, 8, 8, None, 8, 8, None)
_POOLED = (5, 3)  # size of a 160 × 101 spectrogram after five poolings


class VGG11(nn.Module):
    """Eight convolutions and three linear layers for (B, 1, bins, frames), with sides of at least 32."""

    def __init__(self, num_classes: int, width: int = 64, hidden: int = 512) -> None:
        """Build the network.

        Args:
            num_classes: Number K of logits.
            width: Channels of the first convolution.
            hidden: Units of the two hidden linear layers (the paper's 4096 are for images of 224 × 224).
        """
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for multiple in _CONFIGURATION_A:
            if multiple is None:
                layers.append(nn.MaxPool2d(2))
                continue
            channels = width * multiple
            layers += [nn.Conv2d(before, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
            before = channels
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(_POOLED), nn.Flatten())
        first = nn.Linear(before * _POOLED[0] * _POOLED[1], hidden)
        self.head = nn.Sequential(
            first, nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
        )

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Return logits (B, num_classes)."""
        logits: Tensor = self.head(self.features(spectrograms))
        return logits
