"""The layout of a batch: describing and copying its containers, and finding the tensors in them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

PathPart = int | str  # from a container to one of its parts

_NO_CONTAINERS = (Tensor, str, bytes, bytearray, memoryview, type, nn.Module)
_PLAIN = {str, bytes, int, float, bool, type(None)}  # a list of only one of these types is described by the type
_DEPTH = 3  # containers are searched to this depth
_MOST_PARTS = 12  # of each container are shown in a description


class Leaf(NamedTuple):
    """A tensor in a batch, with the path to it."""

    path: tuple[PathPart, ...]
    tensor: Tensor

    @property
    def key(self) -> Any:
        """The path in the form that CoMixup accepts: a single step by itself, several as a tuple."""
        return self.path[0] if len(self.path) == 1 else self.path

    @property
    def name(self) -> str | None:
        """The last name on the path; None in sequences."""
        return next((step for step in reversed(self.path) if isinstance(step, str)), None)

    def describe(self) -> str:
        """Describe key, dtype and shape for a message."""
        return f"{describe_key(self.key)}, {_describe_tensor(self.tensor)}"


def parts_of(batch: Any) -> dict[Any, Any] | None:
    """Return the parts of a container by their keys, or None for anything else.

    Containers are mappings, named tuples, lists, tuples, dataclasses, and objects with a tensor, or a container of
    tensors, among their public attributes. Modules and classes are not containers.
    """
    if isinstance(batch, _NO_CONTAINERS):
        return None
    if isinstance(batch, Mapping):
        return dict(batch.items())
    if is_named_tuple(batch):
        return dict(zip(batch._fields, batch, strict=True))
    if isinstance(batch, tuple | list | MutableSequence):
        return dict(enumerate(batch))
    if is_record(batch):
        names = [field.name for field in dataclasses.fields(batch)]
        return {name: getattr(batch, name) for name in names if hasattr(batch, name)}
    return _attributes_of(batch)


def _attributes_of(batch: Any) -> dict[Any, Any] | None:
    """Return the public attributes of an object that contains tensors, otherwise None."""
    return _public(batch) if _holds_tensors(batch, _DEPTH) else None


def _public(batch: Any) -> dict[Any, Any]:
    return {name: value for name, value in getattr(batch, "__dict__", {}).items() if not name.startswith("_")}


def _holds_tensors(batch: Any, depth: int) -> bool:
    if isinstance(batch, Tensor) or depth == 0 or isinstance(batch, _NO_CONTAINERS):
        return isinstance(batch, Tensor)
    if isinstance(batch, Mapping):
        return any(_holds_tensors(part, depth - 1) for part in batch.values())
    parts = batch if isinstance(batch, list | tuple) else _public(batch).values()
    return any(_holds_tensors(part, depth - 1) for part in parts)


def is_named_tuple(batch: Any) -> bool:
    """Whether a batch is a named tuple."""
    return isinstance(batch, tuple) and hasattr(batch, "_fields") and hasattr(batch, "_replace")


def is_record(batch: Any) -> bool:
    """Whether a batch is an instance of a dataclass."""
    return dataclasses.is_dataclass(batch) and not isinstance(batch, type)


def tensor_leaves(batch: Any) -> list[Leaf]:
    """Return the tensors in a batch that are reachable in up to three steps, in the order of the batch."""
    return list(_find_leaves(batch, ()))


def _find_leaves(batch: Any, path: tuple[PathPart, ...]) -> Iterator[Leaf]:
    if isinstance(batch, Tensor):
        if not batch.is_nested:  # which has no shape
            yield Leaf(path, batch)
    elif len(path) < _DEPTH:
        for key, part in (parts_of(batch) or {}).items():
            if isinstance(key, int | str) and not isinstance(key, bool):
                yield from _find_leaves(part, (*path, key))


def unnamed_rows(batch: Any, named: Sequence[Any], rows: int) -> list[str]:
    """Describe the tensors of a batch that have one row per input and are not among the named ones."""
    known = {id(part) for part in named}
    leaves = [leaf for leaf in tensor_leaves(batch) if leaf.path and id(leaf.tensor) not in known]
    return [describe_key(leaf.key) for leaf in leaves if leaf.tensor.shape[:1] == (rows,)]


def describe_key(key: Any) -> str:
    """Describe a key: a name by itself, an index as "part 0", a path in the form that CoMixup accepts."""
    if isinstance(key, tuple | list) and not any(callable(step) for step in key):
        return f"[{', '.join(repr(step) for step in key)}]"
    return f"part {key}" if isinstance(key, int) else str(key) if isinstance(key, str) else "what the getter returns"


def describe_layout(batch: Any) -> str:
    """Describe the containers of a batch and their parts, such as `dict(image: float32 (20, 3, 32, 32), id: str)`."""
    return _describe(batch, _DEPTH)


def _describe(batch: Any, depth: int) -> str:
    kind = type(batch).__name__
    if isinstance(batch, Tensor):
        return _describe_tensor(batch)
    if batch is None:
        return "None"
    parts = parts_of(batch)
    if parts is None:
        is_array = hasattr(batch, "dtype") and hasattr(batch, "shape")
        return f"{kind} {batch.dtype} {batch.shape}" if is_array else kind
    kinds = {type(part) for part in parts.values()}
    if isinstance(batch, list | tuple) and not is_named_tuple(batch) and len(kinds) == 1 and kinds <= _PLAIN:
        return f"{kind} of {kinds.pop().__name__}"
    if depth == 0:
        return f"{kind} of {len(parts)}"
    shown = [f"{key}: {_describe(part, depth - 1)}" for key, part in list(parts.items())[:_MOST_PARTS]]
    more = [f"{len(parts) - len(shown)} more"] if len(parts) > len(shown) else []
    return f"{kind}({', '.join(shown + more)})"


def _describe_tensor(tensor: Tensor) -> str:
    shape = "nested" if tensor.is_nested else tuple(tensor.shape)
    return f"{str(tensor.dtype).removeprefix('torch.')} {shape}"


def shallow_copy(batch: Any) -> Any:
    """Copy a container. A dict whose attributes are its items stays so, although `copy.copy` would separate them."""
    copied = copy.copy(batch)
    if isinstance(batch, dict) and getattr(batch, "__dict__", None) is batch:
        object.__setattr__(copied, "__dict__", copied)
    return copied


def copy_containers(batch: Any) -> Any:
    """Return new containers at every level, with the same tensors and other values in them.

    Immutable mappings, and anything that `parts_of` does not treat as a container, are shared.
    """
    return _copy(batch, {})


def _copy(batch: Any, copies: dict[int, Any]) -> Any:
    parts = parts_of(batch)
    if parts is None or id(batch) in copies:
        return copies.get(id(batch), batch)
    if isinstance(batch, tuple):
        new = {key: _copy(part, copies) for key, part in parts.items()}
        if is_named_tuple(batch):
            return batch._replace(**new)  # type: ignore[attr-defined]
        return tuple(new.values()) if type(batch) is tuple else batch
    is_mutable = isinstance(batch, MutableMapping | MutableSequence)
    if isinstance(batch, Mapping) and not is_mutable:
        return batch
    # Recorded before its parts are copied, since an object may refer to itself.
    changed = copies[id(batch)] = shallow_copy(batch)
    for key, part in parts.items():
        if is_mutable:
            changed[key] = _copy(part, copies)
        else:
            object.__setattr__(changed, key, _copy(part, copies))  # works for a frozen dataclass too
    return changed
