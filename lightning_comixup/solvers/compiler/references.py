"""References: one pointer in place of all the fields of a named tuple, for calls between kernels.

Numba hands over the tuples of a group as some three hundred numbers, every shape and stride of every array, in each
call: a fifth of the time, and more when the code is not in the processor's cache. Kernels read the fields of a
reference as they read those of the tuple.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils, imputils
from numba.core.datamodel.models import OpaqueModel
from numba.core.typing.templates import AttributeTemplate

from lightning_comixup.solvers.compiler.jit import instruction

_ADDRESS = ir.IntType(8).as_pointer()


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
        # Nothing writes to the tuple after `refer`: what was read need not be read again after each store to an array.
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


@instruction
def refer(context: Any, target: Any) -> Any:
    """Return a reference to a named tuple, good until the function that calls this returns."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        pointer = cgutils.alloca_once(builder, context.get_data_type(kind))
        builder.store(context.data_model_manager[kind].as_data(builder, arguments[0]), pointer)
        # An empty instruction that may have written the memory and returned any address: the reads, declared not to
        # change, cannot be moved before the store above.
        hide = ir.FunctionType(_ADDRESS, [_ADDRESS])
        return builder.asm(hide, "", "=r,0,~{memory}", [builder.bitcast(pointer, _ADDRESS)], side_effect=True)

    return _Reference(target)(target), generate
