"""Whether a tensor belongs to the inputs of a batch: one row for each, on their device."""

from __future__ import annotations

from torch import Tensor


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
