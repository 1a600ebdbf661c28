"""A one-dimensional network for raw signals.

Source: Dai, Dai, Qu, Li, Das, "Very Deep Convolutional Neural Networks for Raw Waveforms", ICASSP 2017, network M5:
four convolutions, each with BatchNorm, ReLU and a pooling by 4, then the mean over time.
"""

from __future__ import annotations

from torch import Tensor, nn

_WIDTHS = (1, 1, 2, 4)  # multiples of the first convolution's channels
_FIRST_KERNEL, _FIRST_STRIDE = 80, 4  # samples
_KERNEL = 3
_POOL = 4


class RawWaveformNet(nn.Module):
    """M5 for (B, 1, samples), with at least 1,020 samples."""

    def __init__(self, num_classes: int, width: int = 128) -> None:
        """Build the network.

        Args:
            num_classes: Number K of logits.
            width: Channels of the first convolution.
        """
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for depth, multiple in enumerate(_WIDTHS):
            kernel, stride = (_FIRST_KERNEL, _FIRST_STRIDE) if depth == 0 else (_KERNEL, 1)
            channels = width * multiple
            convolution = nn.Conv1d(before, channels, kernel, stride, padding=kernel // 2, bias=False)
            layers += [convolution, nn.BatchNorm1d(channels), nn.ReLU(), nn.MaxPool1d(_POOL)]
            before = channels
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(before, num_classes)

    def forward(self, signals: Tensor) -> Tensor:
        """Return logits (B, num_classes)."""
        logits: Tensor = self.head(self.features(signals).mean(2))
        return logits
