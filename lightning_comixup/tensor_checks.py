"""Which tensors can take part in the mixing: dense, of a dtype that has arithmetic."""

from __future__ import annotations

import torch
from torch import Tensor

# PyTorch has no arithmetic for floating dtypes of 8 bits.
FLOATING = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def check_dense(name: str, tensor: Tensor) -> None:
    """Check that a tensor is not sparse.

    Raises:
        TypeError: If it is.
    """
    if tensor.layout != torch.strided:
        raise TypeError(f"{name} must be dense, found layout {tensor.layout}. Convert with `.to_dense()`.")
