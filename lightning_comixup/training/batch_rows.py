"""Selecting rows of a batch in any container, for the saliency pass if only a share of the groups is mixed."""

from __future__ import annotations

from collections import UserDict, UserList
from collections.abc import Mapping, MutableMapping, MutableSequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_comixup.method.groups import Groups
from lightning_comixup.training.batch_layout import is_named_tuple, parts_of, shallow_copy
from lightning_comixup.training.batch_reader import BatchParts, CleanBatch, read_named_parts
from lightning_comixup.training.config import MixingConfig

# A collate function combines the samples' non-numeric values into a list or tuple of these types.
_PLAIN = (str, bytes, int, float, type(None))
_NO_PARTS = {"__dict__", "__weakref__"}  # among the names of slots


class _NoRowsError(Exception):
    """It is unclear which rows of a part belong to which input."""


def take_rows(clean: CleanBatch, groups: Groups, config: MixingConfig) -> CleanBatch | None:
    """Return the rows of a batch that belong to the mixed groups, in new containers.

    Every tensor, array and list of plain values must have as many rows as there are inputs, and all parts of every
    container must be known: selecting rows along the wrong axis would pair inputs with the wrong targets.

    Args:
        clean: The batch, left unchanged.
        groups: Its groups.
        config: The configuration, with the keys of inputs and targets.

    Returns:
        The batch with fewer rows, or None if it is unclear which rows belong to which input.
    """
    if groups.are_all_mixed():
        return clean
    try:
        batch = _Cut(groups).take(clean.batch)
        parts = read_named_parts(batch, clean.parts.keys, config)
    except (_NoRowsError, ValueError):
        return None
    return clean._replace(batch=batch, parts=parts, is_part=True) if _have_rows(parts, groups) else None


def _have_rows(parts: BatchParts, groups: Groups) -> bool:
    """Whether each part has as many rows as the mixed groups: a getter may have read it from elsewhere."""
    rows = sum(part.stop - part.start for part in groups.mixed_slices())
    return all(len(part) == rows for part in (parts.inputs, parts.targets, *parts.others, *parts.averaged))


class _Cut:
    """Takes the rows of some groups, in new containers."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        # Keyed by the id of the container, which is kept alive so that its id is not reused.
        self._known: dict[int, tuple[Any, Any]] = {}

    def take(self, part: Any) -> Any:
        """Return the rows of a part."""
        if isinstance(part, Tensor | np.ndarray):
            return self._take_of_array(part)
        if isinstance(part, _PLAIN):
            if part == self._groups.batch_size and not isinstance(part, bool):
                raise _NoRowsError  # the size of the batch
            return part
        if id(part) in self._known:
            return self._known[id(part)][1]
        if type(part) in (list, tuple) and _is_plain(part):
            return self._take_of_values(part)
        parts = _known_parts(part, self._groups.batch_size)
        return self._take_of_tuple(part, parts) if isinstance(part, tuple) else self._take_of_container(part, parts)

    def _take_of_tuple(self, part: Any, parts: dict[Any, Any]) -> Any:
        new = {key: self.take(value) for key, value in parts.items()}
        return part._replace(**new) if is_named_tuple(part) else tuple(new.values())

    def _take_of_container(self, part: Any, parts: dict[Any, Any]) -> Any:
        copied = _copy(part)
        self._known[id(part)] = part, copied  # before its parts, since an object may refer to itself
        for key, value in parts.items():
            _set(copied, key, self.take(value))
        return copied

    def _take_of_array(self, part: Any) -> Any:
        if isinstance(part, Tensor) and (part.is_nested or part.layout != torch.strided):
            raise _NoRowsError
        if part.ndim == 0:
            return part
        if len(part) != self._groups.batch_size:
            raise _NoRowsError
        return self._groups.take(part) if isinstance(part, Tensor) else self._groups.take_array(part)

    def _take_of_values(self, part: Any) -> Any:
        if len(part) != self._groups.batch_size:
            raise _NoRowsError
        return type(part)(value for rows in self._groups.mixed_slices() for value in part[rows])


def _is_plain(part: Any) -> bool:
    """Whether a sequence consists of plain values only."""
    return len(part) > 0 and all(isinstance(value, _PLAIN) for value in part)


def _known_parts(part: Any, batch_size: int) -> dict[Any, Any]:
    """Return the parts of a container, which must not hide any, nor itself have one part per input."""
    parts = parts_of(part)
    if parts is None:
        raise _NoRowsError
    is_sequence = isinstance(part, tuple | list | MutableSequence) and not is_named_tuple(part)
    if is_sequence and (len(part) == batch_size or _is_plain(part)):
        raise _NoRowsError  # such as one dict per sample
    is_other_tuple = isinstance(part, tuple) and type(part) is not tuple and not is_named_tuple(part)
    is_fixed = isinstance(part, Mapping) and not isinstance(part, MutableMapping)
    if is_other_tuple or is_fixed or _hides_parts(part, parts):
        raise _NoRowsError
    return parts


def _hides_parts(part: Any, parts: dict[Any, Any]) -> bool:
    """Whether a container has attributes that are not among its parts. A collection may have plain values as such."""
    slots = (getattr(kind, "__slots__", ()) for kind in type(part).__mro__)
    names = {name for found in slots for name in ([found] if isinstance(found, str) else found)}
    own = vars(part) if hasattr(part, "__dict__") else {}
    hidden = (names | own.keys()) - parts.keys() - _NO_PARTS
    hidden -= {"data"} if isinstance(part, UserDict | UserList) else set()  # the attribute with their parts
    if isinstance(part, Mapping | tuple | MutableSequence):
        return any(not isinstance(getattr(part, name, None), _PLAIN) for name in hidden)
    return bool(hidden)


def _copy(part: Any) -> Any:
    try:
        copied = shallow_copy(part)
    except Exception as error:  # the user's container may raise anything
        raise _NoRowsError from error
    if copied is part:
        raise _NoRowsError
    return copied


def _set(container: Any, key: Any, value: Any) -> None:
    try:
        if isinstance(container, MutableMapping | MutableSequence):
            container[key] = value
        else:
            object.__setattr__(container, key, value)  # works for a frozen dataclass too
    except Exception as error:  # the container may require all its parts to have equally many rows
        raise _NoRowsError from error
