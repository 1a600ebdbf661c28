"""Spectrograms of one-second signals."""

from __future__ import annotations

import torch
from torch import Tensor

_WINDOW, _HOP = 320, 160  # samples, which are 20 and 10 ms at 16 kHz. A heuristic that is usual for speech
_BINS = 160  # of the window's 161, without the one for the highest frequency
_SMALLEST_DEVIATION = 1e-6  # for silence, which has a deviation of 0


def log_spectrogram(signal: Tensor) -> Tensor:
    """Return log(1 + magnitude) for (samples,), with mean 0 and deviation 1: (1, 160, 1 + samples // 160)."""
    window = torch.hann_window(_WINDOW)
    magnitude = torch.stft(signal, _WINDOW, _HOP, window=window, return_complex=True).abs()[:_BINS]
    logarithm = magnitude.log1p()
    deviation = logarithm.std().clamp(min=_SMALLEST_DEVIATION)
    return ((logarithm - logarithm.mean()) / deviation).unsqueeze(0)
