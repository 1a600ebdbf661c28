"""Reading and replacing the parts of a batch in any container by their keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from torch import Tensor

from lightning_comixup.training.batch_layout import describe_layout, is_named_tuple, is_record, shallow_copy
from lightning_comixup.training.config import BatchKey, is_pair


class ExhaustedLoaderError(Exception):
    """The container of a part is None: its loader is exhausted, while others of a CombinedLoader continue."""


def get_part(batch: Any, name: str, key: BatchKey) -> Any:
    """Return the part of a batch at a key.

    Args:
        batch: A list, tuple, named tuple, mapping or object, or anything for a (getter, setter) pair.
        name: The argument that the key was passed as, for the error message.
        key: An index, a key or attribute name, a path of them, or a (getter, setter) pair.

    Raises:
        ValueError: If the batch has no such part.
        ExhaustedLoaderError: If a container on the path to it is None.
    """
    try:
        return _read(batch, key)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        found = f"{key!r} for {describe_layout(batch)}"
        raise ValueError(
            f"{name} must name a part of the batch: found {found}. Pass CoMixup({name}=...) "
            'with an index, a key, a path of them such as ["data", "image"], or a (getter, setter) pair.'
        ) from error


def _read(batch: Any, key: Any) -> Any:
    if isinstance(key, tuple | list):
        return key[0](batch) if is_pair(key) else _read_path(batch, key)
    if isinstance(key, str) and not isinstance(batch, Mapping):
        return getattr(batch, key)
    if isinstance(batch, Tensor):
        raise TypeError("a tensor has no parts")
    return batch[key]


def _read_path(batch: Any, path: Any) -> Any:
    for step in path[:-1]:
        batch = _read(batch, step)
        if batch is None:
            raise ExhaustedLoaderError
    return _read(batch, path[-1])


def with_part(batch: Any, key: BatchKey, value: Any, *, in_place: bool) -> Any:
    """Return the batch with one part replaced, in the same container if it may be changed and otherwise in a new one.

    A list, dict or dataclass was created by Lightning's transfer to the device. It is changed in place, so that the
    other callbacks see the change. Other objects, and containers with their own `.to`, are copied: the transfer or that
    method may have returned the user's own object.

    The part's own tensor is never written to, since on the CPU it may share the data set's memory.

    Args:
        batch: The batch.
        key: The key of the part.
        value: The new part.
        in_place: Whether the transfer created the containers, so that they may change. Otherwise they are copied.

    Raises:
        TypeError: If the container can neither be changed nor copied.
    """
    if isinstance(key, tuple | list):
        return _with_nested_part(batch, key, value, in_place)
    if is_named_tuple(batch):
        names: tuple[str, ...] = batch._fields
        return batch._replace(**{key if isinstance(key, str) else names[key]: value})
    if isinstance(batch, tuple) and isinstance(key, int):
        parts = list(batch)
        parts[key] = value
        return tuple(parts)
    if is_record(batch) and batch.__dataclass_params__.frozen and isinstance(key, str):
        return dataclasses.replace(batch, **{key: value})
    changed = batch if in_place and _is_made_by_transfer(batch) else _copy_of(batch)
    try:
        if isinstance(key, str) and not isinstance(batch, Mapping):
            setattr(changed, key, value)
        else:
            changed[key] = value
    except (TypeError, AttributeError) as error:
        raise _refusal(batch) from error
    return changed


def _is_made_by_transfer(batch: Any) -> bool:
    """Whether Lightning's own transfer creates a new copy of this container and those inside it."""
    is_collection = isinstance(batch, Sequence | MutableMapping) or is_record(batch)
    return is_collection and not hasattr(type(batch), "to")


def _copy_of(batch: Any) -> Any:
    try:
        return shallow_copy(batch)
    except TypeError as error:
        raise _refusal(batch) from error


def _refusal(batch: Any) -> TypeError:
    return TypeError(
        f"A batch must be a container whose parts can be replaced, found {describe_layout(batch)}. Pass input_key and "
        "target_key as (getter, setter) pairs. The setter returns the new batch, or None if it changed the old one."
    )


def _with_nested_part(batch: Any, key: Any, value: Any, in_place: bool) -> Any:
    """Replace a part with its setter or along its path. An outer container changes only if the inner one is new."""
    if is_pair(key):
        changed = key[1](batch, value)
        return batch if changed is None else changed
    first, *rest = key
    if rest:
        inner = _read(batch, first)
        value = with_part(inner, rest, value, in_place=in_place and _is_made_by_transfer(batch))
        if value is inner:
            return batch
    return with_part(batch, first, value, in_place=in_place)
