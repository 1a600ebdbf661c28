"""Reading and replacing the inputs and targets of a batch, whatever container it is."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence
from typing import Any

from torch import Tensor

Getter = Callable[[Any], Any]
Setter = Callable[[Any, Any], Any]
# Functions that read and replace the part, an index or name, or the path of those to a nested part. The functions stand
# first because a command line tries the types in order: import paths would be taken for names.
BatchKey = tuple[Getter, Setter] | int | str | list[int | str] | tuple[int | str, ...]


def check_key(name: str, key: object) -> None:
    """Check that a key is an index, a name, a path of them, or a (getter, setter) pair.

    Raises:
        TypeError: If it is not.
    """
    if _is_pair(key):
        return
    steps = list(key) if isinstance(key, tuple | list) else [key]
    if not steps or any(isinstance(step, bool) or not isinstance(step, int | str) for step in steps):
        raise TypeError(
            f"{name} must be an index, a key, a path of them, or a (getter, setter) pair, found {key!r}. For batches "
            '(inputs, targets) give 0 or 1, for dicts the key, such as "image".'
        )


def key_list(name: str, keys: object) -> tuple[BatchKey, ...]:
    """Return the keys of several parts as a tuple.

    Raises:
        TypeError: If they are no list or tuple: a word would be taken for a list of letters.
    """
    if not isinstance(keys, list | tuple):
        raise TypeError(f"{name} must be a list of keys, found {keys!r}. Write {name}=[...], one key for each part.")
    return tuple(keys)


def get_part(batch: Any, name: str, key: BatchKey) -> Any:
    """Return the part of a batch that a key names.

    Args:
        batch: A list, tuple, named tuple, dict or dataclass, or anything for a (getter, setter) pair.
        name: The argument that gave the key, for the error.
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
    if _is_pair(key):
        return key[0](batch)
    if isinstance(key, tuple | list):
        return functools.reduce(_read, key, batch)
    if isinstance(key, str) and not isinstance(batch, Mapping):
        return getattr(batch, key)
    if isinstance(batch, Tensor):
        raise TypeError("a tensor has no parts")
    return batch[key]


def _is_pair(key: object) -> bool:
    return isinstance(key, tuple | list) and len(key) == 2 and all(callable(part) for part in key)


def with_part(batch: Any, key: BatchKey, value: Any, *, in_place: bool) -> Any:
    """Return the batch with one part replaced: the same container where it may change, else a new one.

    A list, dict or dataclass is the one that Lightning's transfer to the device has made, so changing it is seen by the
    other callbacks. One that has its own `.to` may be the user's: that method may return it as it is.

    The part's own tensor is never written to: on the CPU it may be the data set's memory.

    Args:
        batch: The batch.
        key: Where the part is.
        value: The new part.
        in_place: Whether the containers are the transfer's; False: they are copied.

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
    """Replace a part by its setter or by its path, outer containers only where an inner one is new."""
    if _is_pair(key):
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
