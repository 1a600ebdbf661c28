"""Which tensors can take part in the mixing: dense, of a dtype that has arithmetic, one row per input, one device."""

from __future__ import annotations

import torch
from torch import Tensor

# PyTorch has no arithmetic for floating dtypes of 8 bits.
_FLOATING = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def check_inputs(inputs: Tensor, name: str = "inputs") -> None:
    """Check that inputs, called `name` in the error, can be differentiated and mixed.

    Raises:
        TypeError: If they are no dense floating tensor.
        ValueError: If they are not (B, C, *spatial) with at least one spatial dimension and no empty one.
    """
    if not isinstance(inputs, Tensor):
        raise TypeError(f"{name} must be a tensor, found {type(inputs).__name__}. Name the right part of the batch.")
    if inputs.dtype not in _FLOATING:
        raise TypeError(
            f"{name} must be floating, of 16 bits or more, found {inputs.dtype}: mixing averages them. Convert them, "
            "e.g. by `.float()`."
        )
    check_dense(name, inputs)
    if inputs.ndim < 3 or inputs.numel() == 0:
        raise ValueError(
            f"{name} must be (B, C, *spatial) with at least one spatial dimension and no empty one, found shape "
            f"{tuple(inputs.shape)}. Add a channel dimension with `unsqueeze(1)` if that is what is missing."
        )


def check_saliency(saliency: Tensor, inputs: Tensor) -> None:
    """Check that a saliency belongs to the inputs.

    Raises:
        TypeError: If it is no dense floating tensor.
        ValueError: If its shape is not (B, *spatial).
    """
    if not isinstance(saliency, Tensor) or saliency.dtype not in _FLOATING:
        found = saliency.dtype if isinstance(saliency, Tensor) else type(saliency).__name__
        raise TypeError(
            f"saliency must be a floating tensor, of 16 bits or more, found {found}. Take that of "
            "`compute_saliency`, or convert yours by `.float()`."
        )
    check_dense("saliency", saliency)
    expected = (inputs.shape[0], *inputs.shape[2:])
    if tuple(saliency.shape) != expected:
        raise ValueError(
            f"saliency must be (B, *spatial) = {expected} for inputs of shape {tuple(inputs.shape)}, found "
            f"{tuple(saliency.shape)}. Reduce its channels, as `compute_saliency` does."
        )


def check_dense(name: str, tensor: Tensor) -> None:
    """Check that a tensor is not sparse.

    Raises:
        TypeError: If it is.
    """
    if tensor.layout != torch.strided:
        raise TypeError(f"{name} must be dense, found layout {tensor.layout}. Convert with `.to_dense()`.")


def check_averaged(name: str, part: Tensor) -> None:
    """Check that a tensor of any dtype but the floating ones without arithmetic can be averaged.

    Raises:
        TypeError: If it is sparse, or floating of 8 bits.
    """
    check_dense(name, part)
    if part.is_floating_point() and part.dtype not in _FLOATING:
        raise TypeError(f"{name} must be of 16 bits or more, found {part.dtype}. Convert by `.float()`.")


def check_rows(name: str, part: object, rows: int) -> None:
    """Check that a part of a batch is a tensor with one row per input.

    Raises:
        TypeError: If it is no tensor.
        ValueError: If it has another number of rows.
    """
    if not isinstance(part, Tensor):
        raise TypeError(f"{name} must be a tensor, found {type(part).__name__}. Name the right part of the batch.")
    if part.shape[:1] != (rows,):
        raise ValueError(
            f"{name} must have one row per input: found shape {tuple(part.shape)} for {rows} inputs. Give those of the "
            "same batch."
        )


def check_device(name: str, part: Tensor, others: Tensor, other: str = "inputs") -> None:
    """Check that a tensor is where others are.

    Raises:
        ValueError: If it is on another device.
    """
    if part.device != others.device:
        raise ValueError(
            f"{name} must be on the device of the {other}, {others.device}, found {part.device}. Move it there by "
            f"`.to({other}.device)`."
        )
