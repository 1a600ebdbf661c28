"""Copying several small tensors between host and device as one: each copy may wait, and each conversion is a kernel.

The bytes are copied as they are, so that numbers of any type travel together without rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def copy_to_host(parts: Sequence[Tensor]) -> list[NDArray[Any]]:
    """Return dense tensors of one device as arrays, in their own shapes and types."""
    packed = torch.cat([part.reshape(-1).view(torch.uint8) for part in parts]).cpu().numpy()
    arrays, start = [], 0
    for part in parts:
        stop = start + part.numel() * part.element_size()
        kind = str(part.dtype).removeprefix("torch.")
        arrays.append(packed[start:stop].view(kind).reshape(part.shape))
        start = stop
    return arrays


def copy_to_device(arrays: Sequence[NDArray[Any]], device: torch.device) -> list[Tensor]:
    """Return arrays as tensors on a device, in their own shapes and types; those of wider numbers come first."""
    packed = np.concatenate([array.reshape(-1).view(np.uint8) for array in arrays])
    sent = torch.from_numpy(packed).to(device)
    parts = sent.split([array.nbytes for array in arrays])
    return [
        part.view(getattr(torch, array.dtype.name)).view(array.shape) for part, array in zip(parts, arrays, strict=True)
    ]
