"""References: one pointer in place of all the fields of a named tuple, for kernels that read its fields.

Numba hands over a tuple of arrays as some hundred numbers, every shape and stride of every array, in each call: a fifth
of the time, and more when the code is not in the processor's cache. So the tuples of a workspace are pinned, laid out
in memory once, and calls pass their addresses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, typeof, types
from numba.core import cgutils, imputils
from numba.core.datamodel import default_manager  # type: ignore[attr-defined]
from numba.core.datamodel.models import OpaqueModel
from numba.core.typing.templates import AttributeTemplate
from numpy.typing import NDArray

from lightning_comixup.solvers.compiler.jit import instruction

_ADDRESS = ir.IntType(8).as_pointer()
_ARRAY_FIELDS: Any = default_manager[types.Array(types.float64, 1, "C")]._fields


class _Reference(types.Type):
    """Numba's type of the address of a named tuple."""

    def __init__(self, target: Any) -> None:
        self.target = target
        super().__init__(name=f"Reference({target})")


extending.register_model(_Reference)(OpaqueModel)


@extending.infer_getattr
class _Fields(AttributeTemplate):
    """The fields of a reference are those of the tuple."""

    key = _Reference

    def generic_resolve(self, reference: Any, name: str) -> Any:  # type: ignore[override]
        """Return the type of a field, None if there is none of this name."""
        fields = reference.target.fields
        return reference.target[fields.index(name)] if name in fields else None


def _read(builder: Any, pointer: Any) -> Any:
    """Load what a pointer points to number by number, so that only those in use are loaded."""
    kind = pointer.type.pointee
    if not isinstance(kind, ir.LiteralStructType | ir.ArrayType):
        number = builder.load(pointer)
        # Nothing writes to a pinned tuple: what was read need not be read again after each store to an array.
        number.set_metadata("invariant.load", builder.module.add_metadata([]))
        return number
    value = ir.Constant(kind, ir.Undefined)
    for place in range(len(kind)):
        value = builder.insert_value(value, _read(builder, cgutils.gep_inbounds(builder, pointer, 0, place)), place)
    return value


@extending.lower_getattr_generic(_Reference)  # type: ignore[untyped-decorator]
def _field(context: Any, builder: Any, reference: Any, address: Any, name: str) -> Any:
    """Read a field.

    The function that reads is optimised for size, too. Its loops over rows are in lanes already, the others are short;
    unrolled and with variants they are three times as much code, slower on each first call and to compile.
    """
    builder.function.attributes.add("optsize")
    place = reference.target.fields.index(name)
    kind = reference.target[place]
    tuple_pointer = builder.bitcast(address, context.get_data_type(reference.target).as_pointer())
    value = _read(builder, cgutils.gep_inbounds(builder, tuple_pointer, 0, place))
    value = context.data_model_manager[kind].from_data(builder, value)
    return imputils.impl_ret_borrowed(context, builder, kind, value)


def _describe(array: NDArray[Any]) -> list[int]:
    """Return the numbers that describe an array to compiled code, in Numba's order."""
    described = {
        "meminfo": [0],  # kernels count no references
        "parent": [0],
        "nitems": [array.size],
        "itemsize": [array.itemsize],
        "data": [array.ctypes.data],
        "shape": array.shape,
        "strides": array.strides,
    }
    return [number for field in _ARRAY_FIELDS for number in described[field]]


def _kinds(target: tuple[Any, ...]) -> list[Any]:
    """Return what tells Numba's types apart, and numbers' own types."""
    kinds: list[Any] = [type(target)]
    for value in target:
        if isinstance(value, np.ndarray):
            flags = value.flags
            layout = "C" if flags.c_contiguous else "F" if flags.f_contiguous else "A"
            kinds.append((value.dtype, value.ndim, layout, flags.writeable, flags.aligned))
        else:
            kinds.append(type(value))
    return kinds


def pin(target: tuple[Any, ...], example: tuple[Any, ...]) -> NDArray[np.int64]:
    """Lay a named tuple of arrays and numbers out as compiled code does; good as long as its arrays and this live.

    Args:
        target: The named tuple. Each number takes eight bytes: next to a flag, which takes one, there must be no other.
        example: What `reference_like` was given.

    Raises:
        TypeError: If the types differ: compiled code would take one for another.
    """
    # Numba itself takes half a millisecond to tell the types of some forty arrays, longer than to label a group.
    if _kinds(target) != _kinds(example):
        raise TypeError(f"What is pinned must be of the type {typeof(example)}, found {typeof(target)}.")
    numbers: list[int] = []
    for value in target:
        if isinstance(value, np.ndarray):
            numbers += _describe(value)
        else:
            numbers.append(int(np.float64(value).view(np.int64)) if isinstance(value, float) else int(value))
    return np.array(numbers, np.int64)


def reference_like(example: tuple[Any, ...]) -> Any:
    """Return the instruction that makes a reference of the address of a pinned tuple, of types like the example's."""
    kind = typeof(example)

    def follow(context: Any, address: Any) -> Any:
        """Return a reference to what is pinned at an address."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], _ADDRESS)

        return _Reference(kind)(types.intp), generate

    return instruction(follow)
