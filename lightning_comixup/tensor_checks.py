"""What a tensor must be like to take part in the mixing, whatever its name."""

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


def check_device(name: str, tensor: Tensor, inputs: Tensor) -> None:
    """Check that a tensor is where the inputs are.

    Raises:
        ValueError: If it is not.
    """
    if tensor.device != inputs.device:
        raise ValueError(
            f"{name} must be on the inputs' device {inputs.device}, found {tensor.device}. Move it there by `.to`."
        )
