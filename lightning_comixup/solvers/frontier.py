"""Dynamic programming over a frontier: the exact minimum over one component of undecided cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.jit import kernel, small
from lightning_comixup.solvers.relations import FIRST_HALF, HALF_TO_OTHER, OTHER
from lightning_comixup.solvers.subproblem import (
    COMPONENT,
    DIGIT,
    FRONTIER,
    ORDER,
    PENDING,
    STEP_CELL,
    STEP_STRIDE,
    Subproblem,
)


@small
def _count_pending(order: NDArray[np.int32], size: int, sub: Subproblem) -> None:
    """Note, for every cell of the order, how many neighbours in the component it has."""
    component, pending = sub.work[COMPONENT], sub.work[PENDING]
    for step in range(size):
        cell = order[step]
        inside = 0
        for direction in range(sub.neighbours.shape[1]):
            neighbour = sub.neighbours[cell, direction]
            if neighbour >= 0 and component[neighbour] == component[cell]:
                inside += 1
        pending[cell] = inside


@kernel
def programme_cost(order: NDArray[np.int32], size: int, cap: int, sub: Subproblem) -> int:
    """Return the sum of the table's sizes along `order`, or `cap + 1` as soon as it exceeds the cap."""
    _count_pending(order, size, sub)
    component, pending = sub.work[COMPONENT], sub.work[PENDING]
    states = 1
    total = 0
    for step in range(size):
        cell = order[step]
        states *= sub.alive[cell]
        total += states
        if total > cap:
            return cap + 1
        left = pending[cell]
        for direction in range(sub.neighbours.shape[1]):
            neighbour = sub.neighbours[cell, direction]
            # In here the number of a cell already added is negative, so that it tells itself apart.
            if neighbour >= 0 and component[neighbour] == component[cell] and pending[neighbour] < 0:
                left -= 1
                pending[neighbour] += 1
                if pending[neighbour] == 0:
                    states //= sub.alive[neighbour]
        if left == 0:
            states //= sub.alive[cell]
        pending[cell] = -left
    return total


@small
def _add_cell(cell: int, states: int, at: int, sub: Subproblem) -> int:
    """Append `cell` as the least significant digit, with its own costs."""
    radix = sub.alive[cell]
    for state in range(states - 1, -1, -1):
        cost = sub.tables[at, state]
        for place in range(radix):
            sub.tables[at, state * radix + place] = cost + sub.own[cell, place]
    return states * radix


@small
def _add_edge(cell: int, neighbour: int, stride: int, states: int, at: int, sub: Subproblem) -> None:
    """Add the pairwise costs between the last digit and the neighbour's, whose place value is `stride`."""
    radix = sub.alive[cell]
    block = stride * sub.alive[neighbour]
    for digit in range(sub.alive[neighbour]):
        for place in range(radix):
            cost = sub.pairwise[sub.label[neighbour, digit], sub.label[cell, place]]
            if cost != 0.0:
                for start in range(digit * stride + place, states, block):
                    for state in range(start, start + stride, radix):
                        sub.tables[at, state] += cost


@small
def _minimise_out(stride: int, radix: int, states: int, noted: int, at: int, sub: Subproblem) -> int:
    """Replace the table by its minimum over the digit of place value `stride`, noting the digits from `noted` on."""
    kept = states // radix
    for high in range(kept // stride):
        source = high * radix * stride
        target = high * stride
        for offset in range(stride):
            best = sub.tables[at, source + offset]
            best_digit = 0
            for digit in range(1, radix):
                cost = sub.tables[at, source + digit * stride + offset]
                if cost < best:
                    best = cost
                    best_digit = digit
            sub.tables[at, target + offset] = best
            sub.choices[noted + target + offset] = best_digit
    return kept


@small
def _find_same(cell: int, other: int, sub: Subproblem) -> None:
    """Note for every label of a cell its place in the other's domain; both are sorted."""
    place = 0
    for index in range(sub.alive[cell]):
        label = sub.label[cell, index]
        while place < sub.alive[other] and sub.label[other, place] < label:
            place += 1
        sub.same[index] = place if place < sub.alive[other] and sub.label[other, place] == label else -1


@small
def _replace_cell(cell: int, other: int, stride: int, states: int, noted: int, at: int, sub: Subproblem) -> int:
    """Append `cell` with its own costs and its edge to `other`, whose last edge that is, and minimise `other` out.

    All in one pass into the other table: a label that no half label contains is as far from every input, and from every
    half label, as from any other, so that two minima serve all such labels.
    """
    radix, gone = sub.alive[cell], sub.alive[other]
    kept = states // gone
    _find_same(cell, other, sub)
    for high in range(kept // stride):
        for offset in range(stride):
            base = high * gone * stride + offset
            target = (high * stride + offset) * radix
            lowest = lowest_half = np.inf
            digit = half_digit = 0
            for place in range(gone):
                cost = sub.tables[at, base + place * stride]
                kind = sub.kind[sub.label[other, place]]
                if FIRST_HALF <= kind < OTHER:
                    if cost < lowest_half:
                        lowest_half, half_digit = cost, place
                elif cost < lowest:
                    lowest, digit = cost, place
            for place in range(radix):
                label = sub.label[cell, place]
                best, choice = np.inf, 0
                if sub.kind[label] == OTHER:
                    best, choice = lowest + sub.smoothness, digit
                    if lowest_half + HALF_TO_OTHER * sub.smoothness < best:
                        best, choice = lowest_half + HALF_TO_OTHER * sub.smoothness, half_digit
                    same = sub.same[place]
                    if same >= 0 and sub.tables[at, base + same * stride] < best:
                        best, choice = sub.tables[at, base + same * stride], same
                else:
                    for before in range(gone):
                        cost = sub.tables[at, base + before * stride] + sub.pairwise[sub.label[other, before], label]
                        if cost < best:
                            best, choice = cost, before
                sub.tables[1 - at, target + place] = best + sub.own[cell, place]
                sub.choices[noted + target + place] = choice
    return kept * radix


@small
def _trace_back(steps: int, noted: int, sub: Subproblem) -> None:
    """Read every cell's digit from the choices noted, last step first."""
    state = 0
    states = 1
    for step in range(steps - 1, -1, -1):
        cell = sub.work[STEP_CELL, step]
        stride = sub.work[STEP_STRIDE, step]
        radix = sub.alive[cell]
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
def _leaver(cell: int, width: int, sub: Subproblem) -> int:
    """Return the position in the frontier of a cell whose last edge is the one to `cell`; -1 if there is none."""
    for position in range(width - 1, -1, -1):
        other = sub.work[FRONTIER, position]
        if sub.work[PENDING, other] == 1:
            for direction in range(sub.neighbours.shape[1]):
                if sub.neighbours[cell, direction] == other:
                    return position
    return -1


@kernel
def minimise_component(size: int, sub: Subproblem) -> None:
    """Minimise over the component whose `size` cells are listed in work[ORDER]; leave the places in work[DIGIT].

    The cells are added one by one; the table holds, for every assignment of the cells that still have neighbours to
    come (the frontier), the cheapest cost of all cells added so far. The caller has made sure, by `programme_cost`,
    that the table fits.
    """
    order, frontier, pending = sub.work[ORDER], sub.work[FRONTIER], sub.work[PENDING]
    step_cell, step_stride = sub.work[STEP_CELL], sub.work[STEP_STRIDE]
    _count_pending(order, size, sub)
    at = 0
    sub.tables[at, 0] = 0.0
    states, width, steps, noted = 1, 0, 0, 0
    for index in range(size):
        cell = order[index]
        step_cell[steps], step_stride[steps] = cell, 0
        steps += 1
        leaver = _leaver(cell, width, sub)
        if leaver >= 0:
            other = frontier[leaver]
            stride = 1
            for position in range(width - 1, leaver, -1):
                stride *= sub.alive[frontier[position]]
            states = _replace_cell(cell, other, stride, states, noted, at, sub)
            at = 1 - at
            noted += states
            step_cell[steps], step_stride[steps] = other, stride * sub.alive[cell]
            steps += 1
            pending[other] = 0
            pending[cell] -= 1
            for place in range(leaver, width - 1):
                frontier[place] = frontier[place + 1]
            frontier[width - 1] = cell
        else:
            states = _add_cell(cell, states, at, sub)
            frontier[width] = cell
            width += 1
        stride = 1
        # From the least significant digit up; the cell itself may leave at the end, when its neighbours are counted.
        for position in range(width - 1, -1, -1):
            other = frontier[position]
            for direction in range(sub.neighbours.shape[1]):
                if sub.neighbours[cell, direction] == other:
                    _add_edge(cell, other, stride, states, at, sub)
                    pending[other] -= 1
                    pending[cell] -= 1
            if other != cell and pending[other] == 0:
                states = _minimise_out(stride, sub.alive[other], states, noted, at, sub)
                noted += states
                step_cell[steps], step_stride[steps] = other, stride
                steps += 1
                for place in range(position, width - 1):
                    frontier[place] = frontier[place + 1]
                width -= 1
            else:
                stride *= sub.alive[other]
        if pending[cell] == 0:
            states = _minimise_out(1, sub.alive[cell], states, noted, at, sub)
            noted += states
            step_cell[steps], step_stride[steps] = cell, 1
            steps += 1
            width -= 1
    _trace_back(steps, noted, sub)
