"""The parts of a training batch that are mixed: found in any container, checked and replaced."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Mapping, MutableMapping, MutableSequence
from typing import Any, NamedTuple

from torch import Tensor

from lightning_comixup.training.batch_layout import tensor_leaves
from lightning_comixup.training.config import BatchKey, MixingConfig, is_pair
from lightning_comixup.validation import (
    check_averaged,
    check_device,
    check_inputs,
    check_rows,
)


class BatchParts(NamedTuple):
    """The parts of a batch that are mixed."""

    inputs: Tensor  # (B, C, *spatial)
    targets: Tensor  # (B, ...)
    others: list[Tensor]  # those of `also_mix`, each (B, C, *spatial)
    averaged: list[Tensor]  # those of `also_average`, each (B, ...)


class BatchKeys(NamedTuple):
    """Where a batch has its inputs and targets."""

    input_key: BatchKey
    target_key: BatchKey


class CleanBatch(NamedTuple):
    """A batch as the loop has it."""

    batch: Any
    batch_idx: int
    keys: BatchKeys
    parts: BatchParts

    def inputs(self) -> list[Tensor]:
        """Return the inputs, and those of `also_mix`."""
        return [self.parts.inputs, *self.parts.others]

    def labels(self) -> list[Tensor]:
        """Return the targets, and the parts of `also_average`."""
        return [self.parts.targets, *self.parts.averaged]

    def unnamed_labels(self) -> list[Tensor]:
        """Return integers that nobody named, with a number for each sample: those of a second head, say."""
        named = [id(part) for part in (*self.inputs(), *self.labels())]
        rows = [
            leaf.tensor for leaf in tensor_leaves(self.batch) if leaf.tensor.shape[:1] == self.parts.inputs.shape[:1]
        ]
        return [part for part in rows if id(part) not in named and not part.is_floating_point()]


def read_batch(batch: Any, batch_idx: int, config: MixingConfig) -> CleanBatch | None:
    """Return a batch with its parts; None if it has none that can be mixed."""
    keys = BatchKeys(
        0 if config.input_key is None else config.input_key, 1 if config.target_key is None else config.target_key
    )
    return CleanBatch(batch, batch_idx, keys, read_parts(batch, config))


def read_parts(batch: Any, config: MixingConfig) -> BatchParts:
    """Return the parts that the configuration names, checked.

    Raises:
        TypeError: If a part is not a tensor, or has a layout or dtype that cannot be mixed.
        ValueError: If a part is missing, does not fit the inputs or requires a gradient.
    """
    inputs = get_part(batch, "input_key", 0 if config.input_key is None else config.input_key)
    check_inputs(inputs)
    targets = get_part(batch, "target_key", 1 if config.target_key is None else config.target_key)
    others = [get_part(batch, "also_mix", key) for key in config.also_mix]
    averaged = [get_part(batch, "also_average", key) for key in config.also_average]
    for other in others:
        check_inputs(other, "also_mix")
    parts = [("targets", targets)]
    parts += [("also_mix", part) for part in others] + [("also_average", part) for part in averaged]
    for name, part in parts:
        check_rows(name, part, len(inputs))
        check_device(name, part, inputs)
    check_averaged("targets", targets)
    for part in averaged:
        check_averaged("also_average", part)
    _check_no_gradient(inputs, targets, *others, *averaged)
    return BatchParts(inputs, targets, others, averaged)


def _check_no_gradient(*parts: Tensor) -> None:
    """Check that nothing learned comes before the mixing: it would get no gradient."""
    if any(part.requires_grad for part in parts):
        raise ValueError(
            "The parts of a batch that are mixed must not require a gradient, found some that do: mixing cuts them off "
            "from what they come from. Move a learned on_after_batch_transfer into the module's forward."
        )


def get_part(batch: Any, name: str, key: BatchKey) -> Any:
    """Return the part of a batch that a key names.

    Args:
        batch: A list, tuple, named tuple, dict or dataclass, or anything for a (getter, setter) pair.
        name: The argument that gave the key, for the error message.
        key: An index, a key or attribute name, a path of them, or a (getter, setter) pair.

    Raises:
        ValueError: If the batch has no such part.
    """
    try:
        return _read(batch, key)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{name} must name a part of the batch: found {key!r} for {_describe(batch)}. Pass CoMixup({name}=...) an "
            'index, a key, a path of them such as ["data", "image"], or a (getter, setter) pair.'
        ) from error


def _read(batch: Any, key: Any) -> Any:
    if isinstance(key, tuple | list):
        return key[0](batch) if is_pair(key) else functools.reduce(_read, key, batch)
    if isinstance(key, str) and not isinstance(batch, Mapping):
        return getattr(batch, key)
    if isinstance(batch, Tensor):
        raise TypeError("a tensor has no parts")
    return batch[key]


def with_part(batch: Any, key: BatchKey, value: Any, *, in_place: bool) -> Any:
    """Return the batch with one part replaced: the same container where it may change, else a new one.

    Lightning's transfer to the device has made a list, dict or dataclass anew, and a change in place is seen by the
    other callbacks. A container with its own `.to` may be the user's own, which that method may return as it is.

    The part's own tensor is never written to: on the CPU it may be the data set's memory.

    Args:
        batch: The batch.
        key: Where the part is.
        value: The new part.
        in_place: Whether the containers are the transfer's, and may change; otherwise they are copied.

    Raises:
        TypeError: If the container can neither be changed nor copied.
    """
    if isinstance(key, tuple | list):
        return _with_nested_part(batch, key, value, in_place)
    if isinstance(batch, tuple) and hasattr(batch, "_replace"):
        names: tuple[str, ...] = batch._fields  # type: ignore[attr-defined]
        return batch._replace(**{key if isinstance(key, str) else names[key]: value})
    if isinstance(batch, tuple) and isinstance(key, int):
        parts = list(batch)
        parts[key] = value
        return tuple(parts)
    is_dataclass = dataclasses.is_dataclass(batch) and not isinstance(batch, type)
    if is_dataclass and batch.__dataclass_params__.frozen and isinstance(key, str):
        return dataclasses.replace(batch, **{key: value})
    changed = batch if in_place and not hasattr(batch, "to") else copy.copy(batch)
    if isinstance(batch, MutableSequence | MutableMapping):
        changed[key] = value
        return changed
    if isinstance(key, str) and is_dataclass:
        setattr(changed, key, value)
        return changed
    raise TypeError(
        f"A batch must be a list, tuple, named tuple, dict or dataclass, found {_describe(batch)}. Pass input_key and "
        "target_key as (getter, setter) pairs; the setter returns the new batch, or None if it changed the old one."
    )


def _with_nested_part(batch: Any, key: Any, value: Any, in_place: bool) -> Any:
    """Replace a part by its setter or along its path; an outer container changes only if the inner one is new."""
    if is_pair(key):
        changed = key[1](batch, value)
        return batch if changed is None else changed
    first, *rest = key
    if rest:
        inner = _read(batch, first)
        value = with_part(inner, rest, value, in_place=in_place)
        if value is inner:
            return batch
    return with_part(batch, first, value, in_place=in_place)


def _describe(batch: Any) -> str:
    kind = type(batch).__name__
    if isinstance(batch, Mapping):
        return f"a {kind} with keys {list(batch)}"
    if isinstance(batch, tuple | list):
        return f"a {kind} of {len(batch)}"
    return f"a {kind}"
