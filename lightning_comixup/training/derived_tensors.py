"""Following tensors through a step to find those that are computed only from given ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

# Functions whose second tensor only provides a shape or a dtype.
_LIKE = ("expand_as", "view_as", "reshape_as", "type_as", "to")
# Functions that may change the shape, the dtype or the device, but no values (although a cast to integers may).
RESHAPING = (
    *("view", "reshape", "squeeze", "unsqueeze", "flatten", "ravel", "permute", "__getitem__", "__get__"),
    *("detach", "clone", "contiguous", "cpu", "cuda", "expand", "repeat", "repeat_interleave"),
    "__deepcopy__",
)
CASTS = (
    *("to", "type", "type_as", "long", "int", "short", "byte", "char", "bool", "float", "double", "half", "bfloat16"),
    *("tensor", "as_tensor", "asarray", "new_tensor"),
)


class DerivedTensors(TorchFunctionMode):
    """Follows, while active, the tensors that are computed from some roots and nothing else.

    A batch's targets reach losses and metrics as views, in another dtype, or one-hot. All of these are derived. A
    tensor computed from targets and predictions together, such as a loss, is not. Calls of PyTorch functions with a
    derived tensor are shown to `before_call` and `after_call`. Those of `always_shown` are always shown.
    """

    always_shown: ClassVar[Sequence[str]] = ()

    def __init__(self, roots: Iterable[Tensor]) -> None:
        """Start with the roots alone."""
        super().__init__()
        self.roots = roots = list(roots)
        self._process = os.getpid()
        # Tensors are kept alive, so that their ids are not reused.
        self._derived: dict[int, Tensor] = {id(root): root for root in roots}
        self._same = set(self._derived)  # the ids of those that have the values of a root
        self._memory = storages(roots)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of PyTorch, and note whether its results are derived."""
        kwargs = kwargs or {}
        if os.getpid() != self._process:  # a data loader's worker that was forked in the meantime
            return func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        # The other argument of `__deepcopy__` is its memo, which may contain incomplete objects.
        shown = args[:1] if name == "__deepcopy__" else args
        given = list(tensors_in((shown, kwargs)))
        found = [tensor for tensor in given if self.is_derived(tensor)]
        if not found and name not in self.always_shown:
            return func(*args, **kwargs)
        self.before_call(name, shown, kwargs)
        result = func(*args, **kwargs)
        if found and (len(found) == len(given) or (name in _LIKE and self.is_derived(given[0]))):
            self._note_results(name, given[0], list(tensors_in(result)))
        self.after_call(name, shown, found, result)
        return result

    def _note_results(self, name: str, source: Tensor, results: list[Tensor]) -> None:
        self._derived.update({id(tensor): tensor for tensor in results})
        if name in (*RESHAPING, *CASTS, *_LIKE) and self.has_same_values(source):
            self._same.update(id(tensor) for tensor in results)

    def has_same_values(self, tensor: object) -> bool:
        """Whether a tensor has the values of a root, in whatever shape and dtype."""
        return id(tensor) in self._same or (isinstance(tensor, Tensor) and bool(storages([tensor]) & self._memory))

    def is_derived(self, tensor: object) -> bool:
        """Whether a tensor is a root, a view of one, or computed from roots alone."""
        if id(tensor) in self._derived:
            return True
        return isinstance(tensor, Tensor) and bool(storages([tensor]) & self._memory)

    def before_call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Inspect a call with a derived tensor before it runs."""

    def after_call(self, name: str, args: tuple[Any, ...], derived: list[Tensor], result: Any) -> None:
        """Inspect the result of such a call."""


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in arguments or results, including those in lists, tuples and mappings."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)


def map_tensors(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Return a value with each tensor in it replaced."""
    if isinstance(value, Tensor):
        return function(value)
    if type(value) is dict:
        return {name: map_tensors(part, function) for name, part in value.items()}
    return type(value)(map_tensors(part, function) for part in value) if type(value) in (list, tuple) else value


def argument(args: tuple[Any, ...], kwargs: dict[str, Any], position: int, name: str) -> Any:
    """Return an argument that may be passed by position or by name; None if it is not passed."""
    return args[position] if len(args) > position else kwargs.get(name)


def storages(tensors: Iterable[Tensor]) -> set[int]:
    """Return the addresses of the memory that tensors share with their views."""
    return {_address(tensor) for tensor in tensors} - {0}


def _address(tensor: Tensor) -> int:
    """Return the address of a tensor's memory; 0 if it has none."""
    # Classes that replace PyTorch's operators, such as shards, may have no memory of their own. Tensors within
    # torch.func do not reveal theirs, and lazy parameters have none yet.
    if type(tensor).__torch_dispatch__ is not Tensor.__torch_dispatch__ or tensor.layout != torch.strided:
        return 0
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, ValueError):
        return 0


def versions(tensors: Iterable[Tensor]) -> list[int]:
    """Return numbers that grow with every change in place, or 0 for tensors made in inference mode."""
    return [0 if tensor.is_inference() else tensor._version for tensor in tensors]


def have_same_values(tensor: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same values in any shape and dtype. This waits for the device."""
    if tensor.ndim == 0 or tensor.numel() != other.numel() or tensor.device != other.device:
        return False
    return torch.equal(tensor.detach().flatten(), other.detach().flatten().to(tensor.dtype))


def can_watch(module: nn.Module, *, is_compiled: bool) -> bool:
    """Whether the calls within a module can be watched. Before PyTorch 2.6 those of compiled functions cannot."""
    if hasattr(torch.compiler, "set_stance"):
        return True
    return not is_compiled and not any(type(part).__name__ == "OptimizedModule" for part in module.modules())


def uncompiled() -> AbstractContextManager[object]:
    """Return a context in which compiled functions run eagerly, so that their calls can be watched."""
    set_stance = getattr(torch.compiler, "set_stance", None)
    return nullcontext() if set_stance is None else set_stance("force_eager")
