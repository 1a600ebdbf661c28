"""Copying several small tensors between host and device as one.

Each copy may wait for the device, and each conversion launches a kernel. The raw bytes are copied, so that numbers of
any type share one copy without rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def copy_to_host(parts: Sequence[Tensor]) -> list[NDArray[Any]]:
    """Return dense tensors on one device as arrays of the same shapes and types. Tensors on the host are not copied."""
    if parts[0].device.type == "cpu":
        return [part.numpy() for part in parts]
    packed = torch.cat([part.reshape(-1).view(torch.uint8) for part in parts]).cpu().numpy()
    arrays, start = [], 0
    for part in parts:
        stop = start + part.numel() * part.element_size()
        kind = str(part.dtype).removeprefix("torch.")
        arrays.append(packed[start:stop].view(kind).reshape(part.shape))
        start = stop
    return arrays


def copy_to_device(arrays: Sequence[NDArray[Any]], device: torch.device) -> list[Tensor]:
    """Return arrays as tensors on a device, with the same shapes and types. On the host nothing is copied.

    Args:
        arrays: Contiguous arrays, wider types first: on the device each must begin at a multiple of its item size.
        device: The device.
    """
    if device.type == "cpu":
        return [torch.from_numpy(array) for array in arrays]
    packed = np.concatenate([array.reshape(-1).view(np.uint8) for array in arrays])
    sent = torch.from_numpy(packed).to(device)
    tensors, start = [], 0
    for array in arrays:
        stop = start + array.nbytes
        tensors.append(sent[start:stop].view(getattr(torch, array.dtype.name)).view(array.shape))
        start = stop
    return tensors
