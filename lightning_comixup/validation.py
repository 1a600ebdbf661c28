"""Checks of arguments and tensors, deferred checks of numbers still on the device, and the minimum precision.

An error message states the rule, the value found and the remedy.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, NamedTuple

import torch
from torch import Tensor

# Counts end up in compiled loops and in tensor sizes, both of which use 64-bit integers.
LEAST_INTEGER, MOST_INTEGER = -(2**63), 2**63 - 1
# PyTorch has no arithmetic for 8-bit floating-point dtypes.
_FLOATING = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_WIDE = (torch.float32, torch.float64, torch.complex64, torch.complex128)


class DeferredCheck(NamedTuple):
    """A check of numbers still on the device: reading them at once would wait for all pending work."""

    numbers: tuple[Tensor, ...]  # each (), to be copied to the host along with other results
    check: Callable[..., None]  # called with these numbers on the host; raises an error if they are wrong


def combine_checks(*checks: DeferredCheck | None) -> DeferredCheck | None:
    """Combine several checks into one; return None if there are none."""
    given = [check for check in checks if check is not None]
    if len(given) < 2:
        return given[0] if given else None

    def check_all(*numbers: Any) -> None:
        start = 0
        for single in given:
            end = start + len(single.numbers)
            single.check(*numbers[start:end])
            start = end

    return DeferredCheck(tuple(number for single in given for number in single.numbers), check_all)


def widen(tensor: Tensor) -> Tensor:
    """Return a tensor in float32, or unchanged if it is already that wide (`torch.promote_types` is slow)."""
    return tensor if tensor.dtype in _WIDE else tensor.to(torch.float32)


def check_count(name: str, value: object, lowest: int = 1, *, advice: str) -> None:
    """Check that `value` is an integer of at least `lowest` that fits in 64 bits; `advice` ends the error message.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is lower, or too large.
    """
    # The first comparison is the fast path.
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, Integral)):
        raise TypeError(f"{name} must be an integer of at least {lowest}, found {value!r}. {advice}")
    if value < lowest:
        raise ValueError(f"{name} must be an integer of at least {lowest}, found {value}. {advice}")
    if int(value) > MOST_INTEGER:
        bits = int(value).bit_length()
        raise ValueError(f"{name} must be an integer that fits in 64 bits, found one of {bits} bits. {advice}")


def check_number(name: str, value: object, *, lowest: float, highest: float = math.inf, advice: str) -> None:
    """Check that `value` is a finite number between two inclusive bounds; `advice` ends the error message.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is not finite or out of bounds.
    """
    # The first comparison is the fast path.
    is_number = type(value) is float or (isinstance(value, Real) and not isinstance(value, bool))
    if is_number and lowest <= _as_float(value) <= min(highest, sys.float_info.max):
        return
    bounds = f"at least {lowest:g}" if highest == math.inf else f"from {lowest:g} to {highest:g}"
    error = ValueError if is_number else TypeError
    raise error(f"{name} must be a finite number, {bounds}, found {value!r}. {advice}")


def check_positive(name: str, value: object, *, advice: str) -> None:
    """Check that `value` is a finite number above 0; `advice` ends the error message.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is not finite, 0 or negative.
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 < _as_float(value) <= sys.float_info.max:
        error = ValueError if is_number else TypeError
        raise error(f"{name} must be a finite number above 0, found {value!r}. {advice}")


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond all floats
        return math.inf


def check_flag(name: str, value: object, *, advice: str) -> None:
    """Check that `value` is True or False.

    Raises:
        TypeError: If it is not.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, found {value!r}. {advice}")


def check_choice(name: str, value: object, choices: tuple[str, ...], *, advice: str) -> None:
    """Check that `value` is one of a few words.

    Raises:
        ValueError: If it is not.
    """
    if not isinstance(value, str) or value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {known}, found {value!r}. {advice}")


def check_function(name: str, value: object, arguments: str, *, advice: str) -> None:
    """Check that `value` is callable and not a class, since calling a class would create an instance.

    Raises:
        TypeError: If it is not callable, or is a class.
    """
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name} must be a function of {arguments}, found {value!r}. {advice}")


def check_inputs(inputs: Tensor, name: str = "inputs") -> None:
    """Check that inputs, called `name` in the error message, are (B, C, *spatial) and can be differentiated and mixed.

    Raises:
        TypeError: If they are not a dense floating-point tensor.
        ValueError: If they are not (B, C, *spatial) with at least one spatial dimension and no empty one.
    """
    check_mixable(inputs, name)
    if inputs.ndim < 3 or inputs.numel() == 0:
        raise ValueError(
            f"{name} must be (B, C, *spatial) with at least one spatial dimension and no empty one, found shape "
            f"{tuple(inputs.shape)}. If the channel dimension is missing, add it with `unsqueeze(1)`."
        )


def check_mixable(inputs: Tensor, name: str = "inputs") -> None:
    """Check that inputs of any shape can be differentiated and mixed.

    Raises:
        TypeError: If they are not a dense floating-point tensor.
    """
    if not isinstance(inputs, Tensor):
        raise TypeError(f"{name} must be a tensor, found {type(inputs).__name__}. Name the right part of the batch.")
    if not is_mixable(inputs.dtype):
        raise TypeError(
            f"{name} must be floating-point with 16 bits or more, found {inputs.dtype}: mixing averages them. Convert "
            "them, e.g. with `.float()`."
        )
    check_dense(name, inputs)


def is_mixable(dtype: torch.dtype) -> bool:
    """Whether numbers of a dtype can be averaged without conversion."""
    return dtype in _FLOATING


def check_saliency(saliency: Tensor, inputs: Tensor) -> None:
    """Check that a saliency belongs to the inputs.

    Raises:
        TypeError: If it is not a dense floating-point tensor.
        ValueError: If its shape is not (B, *spatial).
    """
    if not isinstance(saliency, Tensor) or saliency.dtype not in _FLOATING:
        found = saliency.dtype if isinstance(saliency, Tensor) else type(saliency).__name__
        raise TypeError(
            f"saliency must be a floating-point tensor with 16 bits or more, found {found}. Use the result of "
            "`compute_saliency`, or convert yours with `.float()`."
        )
    check_dense("saliency", saliency)
    expected = (inputs.shape[0], *inputs.shape[2:])
    if tuple(saliency.shape) != expected:
        raise ValueError(
            f"saliency must be (B, *spatial) = {expected} for inputs of shape {tuple(inputs.shape)}, found "
            f"{tuple(saliency.shape)}. Reduce its channels as `compute_saliency` does."
        )


def check_class_targets(targets: Tensor, name: str = "targets") -> None:
    """Check, from their shape and dtype, that targets are integers (B,) or class probabilities (B, K).

    Args:
        targets: The targets of a batch.
        name: What the error message calls them.

    Raises:
        TypeError: If they are not a dense tensor.
        ValueError: If they are neither.
    """
    if not isinstance(targets, Tensor):
        raise TypeError(f"{name} must be a tensor, found {type(targets).__name__}. Convert them with `torch.tensor`.")
    check_dense(name, targets)
    is_integer = not targets.is_floating_point() and not targets.is_complex()
    if not (targets.ndim == 1 and is_integer) and (targets.ndim != 2 or targets.is_complex()):
        raise ValueError(
            f"{name} must be (B,) integer or (B, K) class probabilities, found shape {tuple(targets.shape)} of "
            f"{targets.dtype}. Convert class labels with `.long()`. For regression and the like use "
            "CoMixup(linear_targets=True)."
        )


def check_dense(name: str, tensor: Tensor) -> None:
    """Check that a tensor is not sparse.

    Raises:
        TypeError: If it is.
    """
    if tensor.layout != torch.strided:
        raise TypeError(f"{name} must be dense, found layout {tensor.layout}. Convert it with `.to_dense()`.")


def check_rows(name: str, part: object, rows: int) -> None:
    """Check that a part of a batch is a tensor with one row per input.

    Raises:
        TypeError: If it is not a tensor.
        ValueError: If it has a different number of rows.
    """
    if not isinstance(part, Tensor):
        raise TypeError(f"{name} must be a tensor, found {type(part).__name__}. Name the right part of the batch.")
    if part.shape[:1] != (rows,):
        raise ValueError(
            f"{name} must have one row per input: found shape {tuple(part.shape)} for {rows} inputs. Pass {name} "
            "of the same batch."
        )


def check_device(name: str, part: Tensor, others: Tensor, other: str = "inputs") -> None:
    """Check that a tensor is on the device of other tensors.

    Raises:
        ValueError: If it is on another device.
    """
    if part.device != others.device:
        raise ValueError(
            f"{name} must be on the device of the {other}, {others.device}, found {part.device}. Move it there with "
            f"`.to({other}.device)`."
        )
