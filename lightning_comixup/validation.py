"""Checks of arguments and tensors, the check of numbers still on the device, and the least precision.

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

# Counts go into compiled loops and sizes of tensors, which are 64-bit integers.
LEAST_INTEGER, MOST_INTEGER = -(2**63), 2**63 - 1
# PyTorch has no arithmetic for floating dtypes of 8 bits.
_FLOATING = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_WIDE = (torch.float32, torch.float64, torch.complex64, torch.complex128)


class DeferredCheck(NamedTuple):
    """A check of numbers still on the device, where asking for them at once would wait for all pending work."""

    numbers: tuple[Tensor, ...]  # each (), to be copied to the host along with other results
    check: Callable[..., None]  # called with these numbers on the host, it raises an error or not


def combine_checks(*checks: DeferredCheck | None) -> DeferredCheck | None:
    """Return one check of the numbers of several, or None if there is none."""
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
    """Return a tensor in float32, or as it is if its numbers are wider (`torch.promote_types` is a slow operation)."""
    return tensor if tensor.dtype in _WIDE else tensor.to(torch.float32)


def check_count(name: str, value: object, lowest: int = 1, *, advice: str) -> None:
    """Check that `value` is an integer of at least `lowest` that fits 64 bits; `advice` ends the error message.

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is lower, or too large.
    """
    # The first comparison is the fast one.
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, Integral)):
        raise TypeError(f"{name} must be an integer of at least {lowest}, found {value!r}. {advice}")
    if value < lowest:
        raise ValueError(f"{name} must be an integer of at least {lowest}, found {value}. {advice}")
    if int(value) > MOST_INTEGER:
        bits = int(value).bit_length()
        raise ValueError(f"{name} must be an integer that fits 64 bits, found one of {bits} bits. {advice}")


def check_number(name: str, value: object, *, lowest: float, highest: float = math.inf, advice: str) -> None:
    """Check that `value` is a finite number between two bounds, both included; `advice` ends the error message.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is not finite or out of bounds.
    """
    # The first comparison is the fast one.
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
    """Check that `value` can be called and is not a class, which would make an instance instead.

    Raises:
        TypeError: If it cannot be called, or is a class.
    """
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"{name} must be a function of {arguments}, found {value!r}. {advice}")


def check_inputs(inputs: Tensor, name: str = "inputs") -> None:
    """Check that inputs, called `name` in the error message, are (B, C, *spatial) and can be differentiated and mixed.

    Raises:
        TypeError: If they are not a dense floating tensor.
        ValueError: If they are not (B, C, *spatial) with at least one spatial dimension and no empty one.
    """
    check_mixable(inputs, name)
    if inputs.ndim < 3 or inputs.numel() == 0:
        raise ValueError(
            f"{name} must be (B, C, *spatial) with at least one spatial dimension and no empty one, found shape "
            f"{tuple(inputs.shape)}. Add a channel dimension with `unsqueeze(1)` if that is what is missing."
        )


def check_mixable(inputs: Tensor, name: str = "inputs") -> None:
    """Check that inputs of any shape can be differentiated and mixed.

    Raises:
        TypeError: If they are not a dense floating tensor.
    """
    if not isinstance(inputs, Tensor):
        raise TypeError(f"{name} must be a tensor, found {type(inputs).__name__}. Name the right part of the batch.")
    if not is_mixable(inputs.dtype):
        raise TypeError(
            f"{name} must be floating, of 16 bits or more, found {inputs.dtype}: mixing averages them. Convert them, "
            "e.g. by `.float()`."
        )
    check_dense(name, inputs)


def is_mixable(dtype: torch.dtype) -> bool:
    """Whether numbers of a dtype can be averaged as they are."""
    return dtype in _FLOATING


def check_saliency(saliency: Tensor, inputs: Tensor) -> None:
    """Check that a saliency belongs to the inputs.

    Raises:
        TypeError: If it is not a dense floating tensor.
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


def check_class_targets(targets: Tensor, name: str = "targets") -> None:
    """Check by shape and dtype that targets are integers (B,) or class probabilities (B, K).

    Args:
        targets: Of a batch.
        name: Names them in the error message.

    Raises:
        TypeError: If they are not a dense tensor.
        ValueError: If they are neither.
    """
    if not isinstance(targets, Tensor):
        raise TypeError(f"{name} must be a tensor, found {type(targets).__name__}. Convert them by `torch.tensor`.")
    check_dense(name, targets)
    is_integer = not targets.is_floating_point() and not targets.is_complex()
    if not (targets.ndim == 1 and is_integer) and (targets.ndim != 2 or targets.is_complex()):
        raise ValueError(
            f"{name} must be (B,) integer or (B, K) class probabilities, found shape {tuple(targets.shape)} of "
            f"{targets.dtype}. Convert class labels by `.long()`; for regression and the like use "
            "CoMixup(linear_targets=True)."
        )


def check_dense(name: str, tensor: Tensor) -> None:
    """Check that a tensor is not sparse.

    Raises:
        TypeError: If it is.
    """
    if tensor.layout != torch.strided:
        raise TypeError(f"{name} must be dense, found layout {tensor.layout}. Convert with `.to_dense()`.")


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
            f"{name} must have one row per input: found shape {tuple(part.shape)} for {rows} inputs. Give those of the "
            "same batch."
        )


def check_device(name: str, part: Tensor, others: Tensor, other: str = "inputs") -> None:
    """Check that a tensor is on the device of other tensors.

    Raises:
        ValueError: If it is on another device.
    """
    if part.device != others.device:
        raise ValueError(
            f"{name} must be on the device of the {other}, {others.device}, found {part.device}. Move it there by "
            f"`.to({other}.device)`."
        )
