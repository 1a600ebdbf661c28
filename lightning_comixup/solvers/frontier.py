"""Dynamic programming over a frontier: the exact minimum over one component of undecided cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.compiler.jit import kernel, small
from lightning_comixup.solvers.subproblem import (
    COMPONENT,
    DIGIT,
    FRONTIER,
    ORDER,
    PENDING,
    RADIX,
    STEP_CELL,
    STEP_STRIDE,
    Subproblem,
    neighbour_of,
)

# A literal is a type of its own, for which Numba would compile callees once more.
_number: Any = np.int64


@small
def _count_pending(order: NDArray[np.int64], size: int, sub: Subproblem) -> None:
    """Note, for every cell of the order, how many neighbours in the component it has."""
    component, pending = sub.work[COMPONENT], sub.work[PENDING]
    for step in range(size):
        cell = order[step]
        inside = 0
        for direction in range(sub.link.shape[0]):
            neighbour = neighbour_of(cell, direction, sub)
            if neighbour >= 0 and component[neighbour] == component[cell]:
                inside += 1
        pending[cell] = inside


@kernel
def programme_cost(order: NDArray[np.int64], size: int, cap: int, sub: Subproblem) -> int:
    """Return the sum of the table's sizes along `order`, or `cap + 1` as soon as it exceeds the cap."""
    _count_pending(order, size, sub)
    component, pending, choices = sub.work[COMPONENT], sub.work[PENDING], sub.work[RADIX]
    states = 1
    total = 0
    for step in range(size):
        cell = order[step]
        states *= choices[cell]
        total += states
        if total > cap:
            return cap + 1
        left = pending[cell]
        for direction in range(sub.link.shape[0]):
            neighbour = neighbour_of(cell, direction, sub)
            # In here the number of a cell already added is negative, so that it tells itself apart.
            if neighbour >= 0 and component[neighbour] == component[cell] and pending[neighbour] < 0:
                left -= 1
                pending[neighbour] += 1
                if pending[neighbour] == 0:
                    states //= choices[neighbour]
        if left == 0:
            states //= choices[cell]
        pending[cell] = -left
    return total


@small
def _add_cell(cell: int, states: int, sub: Subproblem) -> int:
    """Append `cell` as the least significant digit, with its costs beside settled cells."""
    radix = sub.work[RADIX, cell]
    for state in range(states - 1, -1, -1):
        cost = sub.table[state]
        for digit in range(radix):
            sub.table[state * radix + digit] = cost + sub.own[sub.left[cell, digit], cell]
    return states * radix


@small
def _add_edge(cell: int, neighbour: int, stride: int, states: int, sub: Subproblem) -> None:
    """Add the pairwise costs between the last digit and the neighbour's, whose place value is `stride`."""
    radix, other_radix = sub.work[RADIX, cell], sub.work[RADIX, neighbour]
    for other in range(other_radix):
        for digit in range(radix):
            cost = sub.pairwise[sub.left[neighbour, other], sub.left[cell, digit]]
            if cost != 0.0:
                for start in range(other * stride + digit, states, stride * other_radix):
                    for state in range(start, start + stride, radix):
                        sub.table[state] += cost


@small
def _minimise_out(stride: int, radix: int, states: int, noted: int, sub: Subproblem) -> int:
    """Replace the table by its minimum over the digit of place value `stride`, noting the digits from `noted` on."""
    kept = states // radix
    for high in range(kept // stride):
        source = high * radix * stride
        target = high * stride
        for offset in range(stride):
            best = sub.table[source + offset]
            best_digit = 0
            for digit in range(1, radix):
                cost = sub.table[source + digit * stride + offset]
                if cost < best:
                    best = cost
                    best_digit = digit
            sub.table[target + offset] = best
            sub.choices[noted + target + offset] = best_digit
    return kept


@small
def _trace_back(steps: int, noted: int, sub: Subproblem) -> None:
    """Read every cell's digit from the choices noted, last step first."""
    state = 0
    states = 1
    for step in range(steps - 1, -1, -1):
        cell = sub.work[STEP_CELL, step]
        stride = sub.work[STEP_STRIDE, step]
        radix = sub.work[RADIX, cell]
        if stride == 0:
            state //= radix
            states //= radix
        else:
            noted -= states
            digit = sub.choices[noted + state]
            sub.work[DIGIT, cell] = digit
            state = (state // stride * radix + digit) * stride + state % stride
            states *= radix


@small
def _find(cell: int, width: int, sub: Subproblem) -> int:
    """Return the position of a cell in the frontier, -1 if it is not there."""
    for position in range(width):
        if sub.work[FRONTIER, position] == cell:
            return position
    return -1


@small
def _stride_of(position: int, width: int, sub: Subproblem) -> int:
    """Return the place value of a cell of the frontier."""
    stride = _number(1)
    for after in range(position + 1, width):
        stride *= sub.work[RADIX, sub.work[FRONTIER, after]]
    return stride


@small
def _add_edges(cell: int, width: int, states: int, sub: Subproblem) -> None:
    """Add the edges between the last cell of the frontier and those before, and count them off."""
    pending = sub.work[PENDING]
    for direction in range(sub.link.shape[0]):
        other = neighbour_of(cell, direction, sub)
        position = _find(other, width, sub) if other >= 0 else -1
        if position >= 0:
            _add_edge(cell, other, _stride_of(position, width, sub), states, sub)
            pending[other] -= 1
            pending[cell] -= 1


@small
def _leave(position: int, width: int, sub: Subproblem) -> None:
    for place in range(position, width - 1):
        sub.work[FRONTIER, place] = sub.work[FRONTIER, place + 1]


@kernel
def minimise_component(size: int, sub: Subproblem) -> float:
    """Minimise over the component in work[ORDER]; leave the result in work[DIGIT] and return its cost.

    The cells are added one by one; the table holds, for every assignment of the cells that still have neighbours to
    come (the frontier), the cheapest cost of all cells added so far. The caller has made sure, by `programme_cost`,
    that the table fits.
    """
    order, frontier, pending = sub.work[ORDER], sub.work[FRONTIER], sub.work[PENDING]
    step_cell, step_stride = sub.work[STEP_CELL], sub.work[STEP_STRIDE]
    _count_pending(order, size, sub)
    sub.table[0] = 0.0
    one, zero = _number(1), _number(0)
    states, width, steps, noted = one, zero, zero, zero
    for index in range(size):
        cell = order[index]
        step_cell[steps], step_stride[steps] = cell, 0
        steps += 1
        states = _add_cell(cell, states, sub)
        frontier[width] = cell
        width += 1
        _add_edges(cell, width, states, sub)
        stride = one
        for position in range(width - 1, -1, -1):
            other = frontier[position]
            radix = sub.work[RADIX, other]
            if pending[other] > 0:
                stride *= radix
                continue
            states = _minimise_out(stride, radix, states, noted, sub)
            noted += states
            step_cell[steps], step_stride[steps] = other, stride
            steps += 1
            _leave(position, width, sub)
            width -= 1
    _trace_back(steps, noted, sub)
    return sub.table[0]
