"""Connected components of the cells that messages left undecided, each solved by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.compiler.jit import kernel, small
from lightning_comixup.solvers.compiler.lanes import add, load, multiply, same, store, total, where_above
from lightning_comixup.solvers.frontier import minimise_component, programme_cost
from lightning_comixup.solvers.loops import copy_row
from lightning_comixup.solvers.settled import settle_cells
from lightning_comixup.solvers.subproblem import (
    BLOCKS,
    CHOICES,
    COMPONENT,
    DECIDED,
    DIGIT,
    ORDER,
    PLACE,
    RADIX,
    TRIAL,
    UNDECIDED,
    Subproblem,
    neighbour_of,
)

# Marks a cell that is not yet in a component.
_NEW = -2
# Heuristic: with more places left to a cell on average, hardly a component fits a table.
_MANY_CHOICES = 3.0
# Heuristic: with as many labelings the programme, in whatever order, takes less time than to compare orders.
_FEW_LABELINGS = 64


@small
def _settle_decided(active: int, first: int, places: int, sub: Subproblem) -> bool:
    """Settle the cells that messages left one place; the others are in components yet to be found.

    Returns:
        Whether these have few enough places left for the programme.
    """
    left, cells = same(0.0), same(0.0)
    for index in range(active):
        block = sub.work[BLOCKS, index]
        choices = same(0.0)
        for place in range(first, places):
            choices = add(choices, where_above(same(np.inf), load(sub.own, place, block), same(1.0), same(0.0)))
        store(sub.marks, CHOICES, block, choices)
        settle_cells(block, first, places, sub)
        undecided = load(sub.marks, UNDECIDED, block)
        left, cells = add(left, multiply(choices, undecided)), add(cells, undecided)
    for index in range(sub.slot.shape[0]):
        cell = sub.slot[index]
        sub.work[COMPONENT, cell] = _NEW if sub.marks[UNDECIDED, cell] > 0.0 else DECIDED
    return total(left) <= _MANY_CHOICES * total(cells)


@small
def _list_choices(size: int, first: int, places: int, sub: Subproblem) -> None:
    """List what each cell of a component may still take."""
    for index in range(size):
        cell = sub.work[ORDER, index]
        listed = 0
        for place in range(first, places):
            if sub.own[place, cell] < np.inf:
                sub.left[cell, listed] = place
                listed += 1


@small
def _collect_component(seed: int, sub: Subproblem) -> int:
    """Name the component of undecided cells after its first cell, list it in work[ORDER] and return its size."""
    component, order = sub.work[COMPONENT], sub.work[ORDER]
    component[seed] = seed
    order[0] = seed
    size = 1
    head = 0
    while head < size:
        cell = order[head]
        head += 1
        sub.work[RADIX, cell] = np.int64(sub.marks[CHOICES, cell])
        for direction in range(sub.link.shape[0]):
            neighbour = neighbour_of(cell, direction, sub)
            if neighbour >= 0 and component[neighbour] == _NEW:
                component[neighbour] = seed
                order[size] = neighbour
                size += 1
    return size


@small
def _list_in_order(axis: int, size: int, cells: NDArray[np.int64], sub: Subproblem) -> None:
    """Sort the cells of the component in `cells` such that one axis varies slowest."""
    seed, listed = sub.work[COMPONENT, cells[0]], 0
    for index in range(sub.order.shape[1]):
        cell = sub.order[axis, index]
        if sub.work[COMPONENT, cell] == seed:
            cells[listed] = cell
            listed += 1
            if listed == size:
                break


@small
def _labelings(size: int, cap: int, sub: Subproblem) -> int:
    """Return the number of labelings of the component in work[ORDER], or `cap + 1` if it exceeds the cap."""
    labelings = 1
    for index in range(size):
        labelings *= sub.work[RADIX, sub.work[ORDER, index]]
        if labelings > cap:
            return cap + 1
    return labelings


@small
def _choose_order(size: int, cap: int, sub: Subproblem) -> bool:
    """Leave the cheapest order in work[ORDER], each with another axis varying slowest; False if none fits the cap.

    With few labelings any order is cheap.
    """
    if _labelings(size, min(cap, _FEW_LABELINGS), sub) <= min(cap, _FEW_LABELINGS):
        return True
    order, trial = sub.work[ORDER], sub.work[TRIAL]
    best = cap + 1
    copy_row(trial, order, size)
    for axis in range(sub.order.shape[0]):
        _list_in_order(axis, size, trial, sub)
        cost = programme_cost(trial, size, cap, sub)
        if cost < best:
            best = cost
            copy_row(order, trial, size)
    return best <= cap


@small
def _kept_cost(size: int, sub: Subproblem) -> float:
    """Return what the component in work[ORDER] costs with what its cells have in marks[PLACE]."""
    cost = 0.0
    for index in range(size):
        cell = sub.work[ORDER, index]
        place = np.int64(sub.marks[PLACE, cell])
        cost += sub.own[place, cell]
        for direction in range(1, sub.link.shape[0], 2):
            neighbour = neighbour_of(cell, direction, sub)
            if neighbour >= 0:
                cost += sub.pairwise[place, np.int64(sub.marks[PLACE, neighbour])]
    return cost


@small
def _settle_component(size: int, cost: float, sub: Subproblem) -> None:
    """Let the cells in work[ORDER] take what the programme found."""
    sub.settled[0] += cost
    for index in range(size):
        cell = sub.work[ORDER, index]
        sub.marks[PLACE, cell] = sub.left[cell, sub.work[DIGIT, cell]]
        sub.marks[UNDECIDED, cell] = 0.0


@kernel
def solve_components(cap: int, active: int, first: int, places: int, sub: Subproblem) -> float:
    """Minimise over every component of undecided cells that needs at most `cap` entries of the table.

    Its cells are then settled; those of the others keep what they have in marks[PLACE].

    Returns:
        By how much that lowers the cost of the labeling in marks[PLACE].
    """
    saved = 0.0
    if not _settle_decided(active, first, places, sub) and cap < sub.table.shape[0]:
        return saved
    for index in range(sub.slot.shape[0]):
        seed = sub.slot[index]
        if sub.work[COMPONENT, seed] != _NEW:
            continue
        size = _collect_component(seed, sub)
        if _choose_order(size, cap, sub):
            _list_choices(size, first, places, sub)
            cost = minimise_component(size, sub)
            saved += _kept_cost(size, sub) - cost
            _settle_component(size, cost, sub)
    return saved
