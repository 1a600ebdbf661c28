"""Four numbers at once: vector instructions for the rows of the compiled solver.

The compiler's own vectorisation is made for long loops; rows have a few to a dozen entries, and half of the time went
to its preparations. A matrix that is read in lanes is contiguous, in float64, and padded to a multiple of `LANES`
columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.datamodel.models import PrimitiveModel
from numpy.typing import NDArray

from lightning_comixup.solvers.compiler.jit import instruction

# Eight would leave half of them empty on grids of 4 x 4 cells, and take processors with half-width units twice as long.
LANES = 4
_DOUBLE = ir.DoubleType()
_VECTOR = ir.VectorType(_DOUBLE, LANES)
_BYTES = 8  # of a number, and what loads and stores count on
CACHE_LINE = 8  # numbers; of the processors in use


class _Lanes(types.Type):
    """Numba's type of the numbers in all lanes."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


_lanes = _Lanes()


@extending.register_model(_Lanes)
class _LanesModel(PrimitiveModel):
    """Held in one vector register, or as many as it takes."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


@extending.register_jitable
def padded(size: int) -> int:
    """Return a size rounded up to whole lanes; for compiled and other callers."""
    return (size + LANES - 1) // LANES * LANES


def aligned_zeros(rows: int, columns: int) -> NDArray[np.float64]:
    """Return a matrix of zeros that starts with a cache line: lanes then do not straddle two, which takes longer."""
    lines = np.zeros(rows * columns + CACHE_LINE)
    skipped = -lines.ctypes.data // _BYTES % CACHE_LINE
    return lines[skipped : skipped + rows * columns].reshape(rows, columns)


def _spread(builder: Any, value: Any) -> Any:
    """Return a vector with one number in every lane."""
    single = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(single, ir.Constant(_VECTOR, ir.Undefined), lanes)


def _pointer(context: Any, builder: Any, kind: Any, matrix: Any, row: Any, column: Any) -> Any:
    array = context.make_array(kind)(context, builder, matrix)
    columns = cgutils.unpack_tuple(builder, array.shape, 2)[1]
    offset = builder.add(builder.mul(row, columns), column)
    return builder.bitcast(builder.gep(array.data, [offset]), ir.PointerType(_VECTOR))


@instruction
def load(context: Any, matrix: Any, row: Any, column: Any) -> Any:
    """Return the entries of a row from a column on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *arguments)
        return builder.load(pointer, align=_BYTES)

    return _lanes(matrix, types.intp, types.intp), generate


@instruction
def store(context: Any, matrix: Any, row: Any, column: Any, values: Any) -> Any:
    """Write the entries of a row from a column on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *arguments[:3])
        builder.store(arguments[3], pointer, align=_BYTES)
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.intp, _lanes), generate


@instruction
def same(context: Any, value: Any) -> Any:
    """Return one number in every lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _spread(builder, arguments[0])

    return _lanes(types.float64), generate


def _of_two(combine: Callable[..., Any]) -> Any:
    """Return the instruction that combines two vectors into one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return combine(builder, *arguments)

    return _lanes(_lanes, _lanes), generate


def _lower(builder: Any, first: Any, second: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", first, second), first, second)


@instruction
def add(context: Any, first: Any, second: Any) -> Any:
    """Return the sums, lane by lane."""
    return _of_two(lambda builder, first, second: builder.fadd(first, second))


@instruction
def subtract(context: Any, first: Any, second: Any) -> Any:
    """Return the differences, lane by lane."""
    return _of_two(lambda builder, first, second: builder.fsub(first, second))


@instruction
def multiply(context: Any, first: Any, second: Any) -> Any:
    """Return the products, lane by lane."""
    return _of_two(lambda builder, first, second: builder.fmul(first, second))


@instruction
def divide(context: Any, first: Any, second: Any) -> Any:
    """Return the quotients, lane by lane."""
    return _of_two(lambda builder, first, second: builder.fdiv(first, second))


@instruction
def lower(context: Any, first: Any, second: Any) -> Any:
    """Return the lower numbers, lane by lane."""
    return _of_two(_lower)


@instruction
def where_above(context: Any, values: Any, limits: Any, then: Any, otherwise: Any) -> Any:
    """Return `then` where values exceed limits, `otherwise` elsewhere, lane by lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *arguments[:2]), *arguments[2:])

    return _lanes(_lanes, _lanes, _lanes, _lanes), generate


def _fold(builder: Any, vector: Any, combine: Any) -> Any:
    """Return the combination of all lanes."""
    width = LANES
    while width > 1:
        width //= 2
        order = list(range(width, 2 * width)) + [0] * (LANES - width)
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), order)
        vector = combine(vector, builder.shuffle_vector(vector, ir.Constant(_VECTOR, ir.Undefined), mask))
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


@instruction
def lowest(context: Any, values: Any) -> Any:
    """Return the lowest number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _fold(builder, arguments[0], lambda first, second: _lower(builder, first, second))

    return types.float64(_lanes), generate


@instruction
def total(context: Any, values: Any) -> Any:
    """Return the sum over the lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _fold(builder, arguments[0], builder.fadd)

    return types.float64(_lanes), generate


@instruction
def find(context: Any, values: Any, value: Any) -> Any:
    """Return the first lane that holds a number, LANES if none does; for little-endian machines, as Numba's are."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        equal = builder.fcmp_ordered("==", arguments[0], _spread(builder, arguments[1]))
        bits = builder.zext(builder.bitcast(equal, ir.IntType(LANES)), ir.IntType(64))
        stop = builder.or_(bits, ir.Constant(ir.IntType(64), 1 << LANES))
        return builder.cttz(stop, ir.Constant(ir.IntType(1), 1))

    return types.int64(_lanes, types.float64), generate


@instruction
def any_above(context: Any, values: Any, limits: Any) -> Any:
    """Whether a value exceeds its limit in any lane."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        above = builder.bitcast(builder.fcmp_ordered(">", *arguments), ir.IntType(LANES))
        return builder.icmp_unsigned("!=", above, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(_lanes, _lanes), generate
