"""Sound files, read with the standard library."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_BYTES = 2  # of a 16-bit sample
_LOUDEST = 32768.0


def read_wav(path: Path, rate: int) -> NDArray[np.float32]:
    """Return the samples of a one-channel 16-bit file: (samples,) from -1 to 1.

    Args:
        path: The file.
        rate: The sampling rate that it must have, in Hz.

    Raises:
        ValueError: If the file has another format.
    """
    with wave.open(str(path), "rb") as sound:
        found = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
        if found != (1, _BYTES, rate):
            raise ValueError(
                f"{path} must have 1 channel, {_BYTES} bytes per sample and {rate} Hz, "
                f"found {found[0]}, {found[1]} and {found[2]}. Convert it."
            )
        samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2")
    return samples.astype(np.float32) / np.float32(_LOUDEST)


def of_length(signal: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Return the first `length` samples, with zeros after a shorter signal."""
    return np.pad(signal[:length], (0, max(0, length - len(signal))))
