"""Solving one output while the others stay fixed: each cell takes its cheapest label in turn.

A step of the descent replaces the diversity term by its modular bound (section 3 of the paper), a price for each input
that is the same at every cell. It minimises

    Σ_s ⟨unary_s + 2γ φ(p), z_s⟩ + β/2 Σ_(s,t) ‖z_s - z_t‖²

where z_s is one of the inputs or of the half labels offered, and p are the counts of the other outputs. This is
coordinate descent, which does not always reach the minimum. Reaching it would lower neither the final energy nor the
error of trained networks.

For whole cells β/2 ‖z_s - z_t‖² = const - β z_s·z_t, so each neighbour saves β/2 for each of its two labels. A half
label saves the mean of what its two inputs save, and in addition a quarter of β for each edge.
"""

from __future__ import annotations

import numpy as np

from lightning_comixup.method.problem import HALF_LABEL_BONUS
from lightning_comixup.solvers import arrays as at
from lightning_comixup.solvers.arrays import Floats, Integers
from lightning_comixup.solvers.compiled import kernel, small
from lightning_comixup.solvers.diversity import count_output, price_modular_bound
from lightning_comixup.solvers.half_labels import list_most_used

# Passes over the cells of an output. Heuristic: a third would change hardly any cell, and the next sweep follows.
_PASSES = 2
# A smaller gain is rounding, since costs are fractions of one.
_LEAST_GAIN = 1e-15


@kernel
def list_open_inputs(neighbours: Integers, weights: Floats, inputs: Floats, prices: Floats, lists: Integers) -> int:
    """List the inputs that some cell might take at these prices, whatever its neighbours; return their number."""
    limit = np.inf
    for label in range(prices.shape[1]):
        limit = min(limit, inputs[at.HIGHEST, label] + prices[at.PRICE, label])
    limit += weights[at.SMOOTHNESS] * neighbours.shape[1]
    size = 0
    for label in range(prices.shape[1]):
        lists[at.OPEN, size] = label
        size += inputs[at.LOWEST, label] + prices[at.PRICE, label] <= limit
    return size


@small
def save_edges(output: int, cell: int, neighbours: Integers, weights: Floats, labels: Integers, prices: Floats) -> int:
    """Add the saving of each label along the edges of a cell; return the number of edges."""
    edges = 0
    for direction in range(neighbours.shape[1]):
        beside = neighbours[cell, direction]
        if beside >= 0:
            prices[at.SAVED, labels[0, output, beside]] += 0.5 * weights[at.SMOOTHNESS]
            prices[at.SAVED, labels[1, output, beside]] += 0.5 * weights[at.SMOOTHNESS]
            edges += 1
    return edges


@small
def clear_saved(output: int, cell: int, neighbours: Integers, labels: Integers, prices: Floats) -> None:
    """Reset the savings that `save_edges` has added to zero."""
    for direction in range(neighbours.shape[1]):
        beside = neighbours[cell, direction]
        if beside >= 0:
            prices[at.SAVED, labels[0, output, beside]] = 0.0
            prices[at.SAVED, labels[1, output, beside]] = 0.0


@small
def label_cost(label: int, cell: int, cost: Floats, prices: Floats) -> float:
    """Return the cost of a label at the current cell."""
    return cost[cell, label] + prices[at.PRICE, label] - prices[at.SAVED, label]


@small
def _take_cheapest(
    output: int,
    cell: int,
    halves: int,
    opened: int,
    cost: Floats,
    neighbours: Integers,
    weights: Floats,
    labels: Integers,
    prices: Floats,
    lists: Integers,
) -> bool:
    """Give a cell its cheapest label; return whether this changed the cell."""
    edges = save_edges(output, cell, neighbours, weights, labels, prices)
    bonus = HALF_LABEL_BONUS + 0.25 * weights[at.SMOOTHNESS] * edges
    first, second = labels[0, output, cell], labels[1, output, cell]
    lowest = 0.5 * (label_cost(first, cell, cost, prices) + label_cost(second, cell, cost, prices))
    lowest -= _LEAST_GAIN if first == second else bonus + _LEAST_GAIN
    one, other = first, second
    for place in range(opened):
        label = lists[at.OPEN, place]
        reached = label_cost(label, cell, cost, prices)
        if reached < lowest:
            lowest, one, other = reached, label, label
    for place in range(1, halves):
        later = label_cost(lists[at.MOST_USED, place], cell, cost, prices)
        for before in range(place):
            reached = 0.5 * (label_cost(lists[at.MOST_USED, before], cell, cost, prices) + later) - bonus
            if reached < lowest:
                lowest, one, other = reached, lists[at.MOST_USED, before], lists[at.MOST_USED, place]
    clear_saved(output, cell, neighbours, labels, prices)
    labels[0, output, cell], labels[1, output, cell] = min(one, other), max(one, other)
    return min(one, other) != first or max(one, other) != second


@kernel
def solve_output(
    output: int,
    use_halves: bool,
    cost: Floats,
    matrices: Floats,
    neighbours: Integers,
    weights: Floats,
    labels: Integers,
    uses: Floats,
    inputs: Floats,
    prices: Floats,
    lists: Integers,
) -> None:
    """Lower the bound on the energy for one output while the others stay fixed; see the module docstring."""
    price_modular_bound(output, matrices, weights, uses, inputs, prices)
    halves = list_most_used(output, uses, lists) if use_halves else 0
    opened = list_open_inputs(neighbours, weights, inputs, prices, lists)
    has_changed = False
    for _ in range(_PASSES):
        changes = 0
        for cell in range(labels.shape[2]):
            changes += _take_cheapest(output, cell, halves, opened, cost, neighbours, weights, labels, prices, lists)
        if changes == 0:
            break
        has_changed = True
    if has_changed:
        count_output(output, matrices, labels, uses, inputs)
