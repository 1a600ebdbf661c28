"""Some rows of a batch in any container: what the saliency pass gets if only a share of the groups is mixed."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, MutableSequence
from typing import Any

import numpy as np
from torch import Tensor

from lightning_comixup.method.groups import Groups
from lightning_comixup.training.batch_layout import copy_containers, is_named_tuple, parts_of
from lightning_comixup.training.batch_reader import CleanBatch, read_named_parts
from lightning_comixup.training.config import MixingConfig

# What a collate function leaves of samples' values that are not numbers is a list or tuple of these.
_PLAIN = (str, bytes, int, float, type(None))


class _NoRowsError(Exception):
    """It is not plain which rows of a part belong to which input."""


def take_rows(clean: CleanBatch, groups: Groups, config: MixingConfig) -> CleanBatch | None:
    """Return the rows of a batch that belong to the groups that are mixed, in new containers.

    Every tensor, array and list of plain values must have as many rows as there are inputs, and every container must be
    one whose parts are all known: rows cut off the wrong axis would pair inputs with foreign targets.

    Args:
        clean: The batch; it stays as it is.
        groups: Its groups.
        config: Where inputs and targets are.

    Returns:
        The batch with fewer rows; None if it is not plain which rows belong to which input.
    """
    if groups.are_all_mixed():
        return clean
    try:
        batch = _take(copy_containers(clean.batch), groups)
    except _NoRowsError:
        return None
    return clean._replace(batch=batch, parts=read_named_parts(batch, clean.parts.keys, config), is_part=True)


def _take(part: Any, groups: Groups) -> Any:
    """Return the rows of a part; containers that can be changed are changed in place."""
    if isinstance(part, Tensor | np.ndarray):
        return _take_of_array(part, groups)
    if isinstance(part, _PLAIN):
        return part
    if isinstance(part, list | tuple) and part and all(isinstance(value, _PLAIN) for value in part):
        return _take_of_values(part, groups)
    parts = _known_parts(part)
    new = {key: _take(value, groups) for key, value in parts.items()}
    if is_named_tuple(part):
        return part._replace(**new)
    if isinstance(part, tuple):
        return tuple(new.values())
    for key, value in new.items():
        if isinstance(part, MutableMapping | MutableSequence):
            part[key] = value
        else:
            object.__setattr__(part, key, value)  # a frozen dataclass as well
    return part


def _known_parts(part: Any) -> dict[Any, Any]:
    """Return the parts of a container that hides none."""
    parts = parts_of(part)
    is_other_tuple = isinstance(part, tuple) and type(part) is not tuple and not is_named_tuple(part)
    is_fixed = isinstance(part, Mapping) and not isinstance(part, MutableMapping)
    if parts is None or is_other_tuple or is_fixed:
        raise _NoRowsError
    is_collection = isinstance(part, Mapping | tuple | MutableSequence)
    if not is_collection and getattr(part, "__dict__", {}).keys() - parts.keys():  # attributes that are not public
        raise _NoRowsError
    return parts


def _take_of_array(part: Any, groups: Groups) -> Any:
    if part.ndim == 0:
        return part
    if len(part) != groups.batch_size:
        raise _NoRowsError
    if isinstance(part, Tensor):
        if part.is_sparse or part.is_nested:
            raise _NoRowsError
        return groups.take(part)
    return groups.take_array(part)


def _take_of_values(part: Any, groups: Groups) -> Any:
    if len(part) != groups.batch_size or type(part) not in (list, tuple):
        raise _NoRowsError
    return type(part)(value for rows in groups.mixed_slices() for value in part[rows])
