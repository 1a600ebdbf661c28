"""A pretend device. Its tensors compute on the CPU, and every transfer between the two is recorded.

On a GPU, reading a value or copying to or from the host may wait for everything computed there. On the CPU, the same
code neither waits nor copies, so there is nothing to count. The pretend device uses the name of PyTorch's device
"meta" because autograd knows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("meta")

# Operations whose result, or its shape, the host must know. The names are without overloads.
_READS = {
    "aten::_local_scalar_dense",  # item(), bool(), int(), float()
    "aten::is_nonzero",
    "aten::equal",
    "aten::nonzero",
    "aten::masked_select",
    "aten::_unique",
    "aten::_unique2",
    "aten::unique_dim",
    "aten::unique_consecutive",
    "aten::repeat_interleave",
    "aten::bincount",
    "aten::allclose",
}
_COPIES = {"aten::_to_copy", "aten::copy_", "aten::_copy_from"}


class OnDevice(Tensor):
    """A tensor that appears to be on the device. Its twin on the CPU has the values."""

    twin: Tensor

    @staticmethod
    def __new__(cls, twin: Tensor) -> OnDevice:
        wrapper = Tensor._make_wrapper_subclass(
            cls,
            twin.size(),
            strides=twin.stride(),
            storage_offset=twin.storage_offset(),
            dtype=twin.dtype,
            layout=twin.layout,
            device=DEVICE,
        )
        wrapper.twin = twin
        return wrapper

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OnDevice({self.twin!r})"

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _compute(func, args, kwargs or {}, Crossings())


@dataclass
class Crossings:
    """Transfers, each as the name of the operation and the number of elements, and reads."""

    to_host: list[tuple[str, int]] = field(default_factory=list)
    to_device: list[tuple[str, int]] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)


class PretendedDevice(TorchDispatchMode):
    """While this is active, tensors can be created on the device and copied to it. See `pretend_device`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.crossings = Crossings()
        self._recording = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {}, self.crossings if self._recording else Crossings())

    @contextmanager
    def recording(self) -> Iterator[Crossings]:
        """Record all transfers inside this context."""
        self.crossings, self._recording = Crossings(), True
        try:
            yield self.crossings
        finally:
            self._recording = False


@contextmanager
def pretend_device() -> Iterator[PretendedDevice]:
    """Provide the device inside this context. It records transfers on request."""
    device = PretendedDevice()
    with _FromData(), device:
        yield device


class _FromData(TorchFunctionMode):
    """Creates tensors from Python numbers on the host and copies them. PyTorch does this internally and invisibly."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") == DEVICE:
            return func(*args, **(kwargs | {"device": "cpu"})).to(DEVICE)
        return func(*args, **kwargs)


def _compute(func: Any, args: Any, kwargs: dict[str, Any], crossings: Crossings) -> Any:
    """Compute on the values. The result is on the device if an argument is, or if the call asks for it."""
    tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
    ours = [tensor for tensor in tensors if isinstance(tensor, OnDevice)]
    hosts = [tensor for tensor in tensors if not isinstance(tensor, OnDevice)]
    assert all(tensor.device != DEVICE for tensor in hosts), f"{func}: made on the device from data of the host"
    asked = kwargs.get("device")
    goes_to_device = bool(ours) if asked is None else torch.device(asked) == DEVICE
    _record(func, args, ours, hosts, goes_to_device, crossings)
    if asked is not None:
        kwargs = kwargs | {"device": torch.device("cpu")}
    result = func(*tree_map(_values, args), **{name: tree_map(_values, value) for name, value in kwargs.items()})
    if func._schema.is_mutable and tensors:
        return _own_of(result, tensors)
    if ours and asked is not None and not goes_to_device:
        return tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, result)
    return tree_map(_wrap, result) if goes_to_device else result


def _record(
    func: Any, args: Any, ours: list[OnDevice], hosts: list[Tensor], goes_to_device: bool, crossings: Crossings
) -> None:
    name = func._schema.name
    if name in _COPIES:
        if name == "aten::copy_":
            goes_to_device = isinstance(args[0], OnDevice)
        source = args[1] if name == "aten::copy_" else args[0]
        if isinstance(source, OnDevice) != goes_to_device:
            (crossings.to_device if goes_to_device else crossings.to_host).append((name, source.numel()))
    elif ours and (name in _READS or _indexes_by_mask(name, args)):
        crossings.reads.append(name)
    elif ours:
        # PyTorch passes single numbers from the host as kernel arguments. It would reject or copy anything else.
        crossings.to_device.extend((name, tensor.numel()) for tensor in hosts if tensor.ndim > 0)


def _indexes_by_mask(name: str, args: Any) -> bool:
    if name not in ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"):
        return False
    return any(isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in args[1])


def _values(leaf: Any) -> Any:
    return leaf.twin if isinstance(leaf, OnDevice) else leaf


def _wrap(leaf: Any) -> Any:
    return OnDevice(leaf) if isinstance(leaf, Tensor) else leaf


def _own_of(result: Any, tensors: list[Tensor]) -> Any:
    """Return the original tensors that an operation has changed in place."""
    wrappers = {id(_values(tensor)): tensor for tensor in tensors}
    wraps = any(isinstance(tensor, OnDevice) for tensor in tensors)

    def own(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        return wrappers.get(id(leaf), OnDevice(leaf) if wraps else leaf)

    return tree_map(own, result)
