"""Local search: moves of single cells, each of which lowers the energy itself.

A step of the descent replaces the diversity term by a modular bound. The bound ignores that taking more of an input can
push the load that *other* outputs see over the threshold. The move of a single cell can be priced with the term itself.
The threshold then acts as a capacity of each input, and cells move to inputs with capacity left.

A move minimises the energy over the input of one cell of one output, while everything else stays fixed.

Prices ignore how the use of an input adds to the load of other inputs. These are the off-diagonal entries of A, which
are tiny at the default ω, so that A p > τ is treated as p_i > room_i. A move is made only if the exact energy falls.
"""

from __future__ import annotations

import numpy as np

from lightning_comixup.solvers import arrays as at
from lightning_comixup.solvers.arrays import Floats, Integers
from lightning_comixup.solvers.cheapest_label import clear_saved, label_cost, list_open_inputs, save_edges
from lightning_comixup.solvers.compiled import kernel, small
from lightning_comixup.solvers.diversity import add_cells, diversity_energy
from lightning_comixup.solvers.half_labels import half_square_distance

# How often the search visits every output at most. Heuristic: a third visit would find hardly any move.
_ROUNDS = 2
# A smaller gain is rounding (energies are of order one or more).
_LEAST_GAIN = 1e-9


@kernel
def _set_room(matrices: Floats, weights: Floats, inputs: Floats) -> None:
    """Set the room of each input, which others may use before a penalty starts, and the price γ A_ii beyond it."""
    for label in range(inputs.shape[1]):
        own = matrices[at.A, label, label]
        rest = inputs[at.TOTAL_LOAD, label] - own * inputs[at.TOTAL, label]
        # With A_ii = 0, as for ω = 1, an input is never penalised for its own use.
        inputs[at.ROOM, label] = (weights[at.CAPACITY] - rest) / own if own > 0.0 else np.inf
        inputs[at.UNIT, label] = weights[at.DIVERSITY] * own


@small
def _penalty(count: float, others: float, label: int, soft: bool, inputs: Floats) -> float:
    """Return roughly the penalty for `count` cells of an input of which the other outputs use `others` cells."""
    over = others - inputs[at.ROOM, label]
    paid = count * inputs[at.UNIT, label] * (over if soft else others)
    return paid if over > 0.0 else 0.0


@kernel
def _price_totals(weights: Floats, uses: Floats, inputs: Floats) -> None:
    """Set how the total penalty changes if an input is used for one cell more, one less or half a cell less.

    These are the changes for outputs that do not gain or lose the cell themselves. `_price_moves` adds the rest.
    """
    soft = weights[at.SOFT] > 0.0
    for label in range(inputs.shape[1]):
        inputs[at.MORE, label], inputs[at.LESS, label], inputs[at.HALF_LESS, label] = 0.0, 0.0, 0.0
    for output in range(uses.shape[1]):
        for label in range(inputs.shape[1]):
            count = uses[at.COUNT, output, label]
            others = inputs[at.TOTAL, label] - count
            now = _penalty(count, others, label, soft, inputs)
            inputs[at.MORE, label] += _penalty(count, others + 1.0, label, soft, inputs) - now
            inputs[at.LESS, label] += _penalty(count, others - 1.0, label, soft, inputs) - now
            inputs[at.HALF_LESS, label] += _penalty(count, others - 0.5, label, soft, inputs) - now


@kernel
def _price_moves(output: int, weights: Floats, uses: Floats, inputs: Floats, prices: Floats) -> None:
    """Set the price of a cell of each input for one output, and the saving of giving up a cell or half a cell.

    For this output the use by the others stays the same. This corrects `_price_totals`, which treats it like any other
    output, for which that use changes.
    """
    soft = weights[at.SOFT] > 0.0
    for label in range(inputs.shape[1]):
        count, extra = uses[at.COUNT, output, label], uses[at.EXTRA, output, label]
        others = inputs[at.TOTAL, label] - count
        take = _penalty(count + 1.0, others, label, soft, inputs) - _penalty(count, others + 1.0, label, soft, inputs)
        give = _penalty(count - 1.0, others, label, soft, inputs) - _penalty(count, others - 1.0, label, soft, inputs)
        half = _penalty(count - 0.5, others, label, soft, inputs) - _penalty(count, others - 0.5, label, soft, inputs)
        prices[at.PRICE, label] = inputs[at.MORE, label] + take + extra
        inputs[at.GIVE, label] = inputs[at.LESS, label] + give - extra
        inputs[at.GIVE_HALF, label] = inputs[at.HALF_LESS, label] + half - 0.5 * extra


@small
def _price_current_label(
    output: int, cell: int, cost: Floats, neighbours: Integers, weights: Floats, labels: Integers, inputs: Floats
) -> tuple[float, float]:
    """Return the cost of a cell's current label, and the most that any other input could save along the cell's edges.

    Both are measured as in `save_edges`. An edge that saves something for the current label saves nothing for others.
    """
    first, second = labels[0, output, cell], labels[1, output, cell]
    edges, matches = 0, 0
    for direction in range(neighbours.shape[1]):
        beside = neighbours[cell, direction]
        if beside >= 0:
            edges += 1
            one, other = labels[0, output, beside], labels[1, output, beside]
            matches += (one == first) + (other == first)
            if first != second:
                matches += (one == second) + (other == second)
    half = 0.5 * weights[at.SMOOTHNESS]
    if first == second:
        current = cost[cell, first] - inputs[at.GIVE, first] - half * matches
    else:
        given = inputs[at.GIVE_HALF, first] + inputs[at.GIVE_HALF, second]
        current = 0.5 * (cost[cell, first] + cost[cell, second] - half * (matches + edges)) - given
    return current - _LEAST_GAIN, half * (2 * edges - matches)


@small
def _cheapest_cost(cell: int, opened: int, cost: Floats, prices: Floats, lists: Integers) -> float:
    """Return the lowest cost of an input at a cell, without its edges."""
    cheapest = np.inf
    for place in range(opened):
        cheapest = min(cheapest, cost[cell, lists[at.OPEN, place]] + prices[at.PRICE, lists[at.OPEN, place]])
    return cheapest


@small
def _find_move(
    output: int,
    cell: int,
    current: float,
    opened: int,
    cost: Floats,
    neighbours: Integers,
    weights: Floats,
    labels: Integers,
    prices: Floats,
    lists: Integers,
) -> int:
    """Return the input that would lower the energy most at this cell; -1 if none would."""
    first, second = labels[0, output, cell], labels[1, output, cell]
    lowest, found = current, -1
    save_edges(output, cell, neighbours, weights, labels, prices)
    for place in range(opened):
        label = lists[at.OPEN, place]
        reached = label_cost(label, cell, cost, prices)
        # The cell's own inputs are skipped: their counts would not change, or by half a cell, which has no price.
        if reached < lowest and label != first and label != second:
            lowest, found = reached, label
    clear_saved(output, cell, neighbours, labels, prices)
    return found


@kernel
def _cell_energy(
    output: int, cell: int, cost: Floats, neighbours: Integers, weights: Floats, labels: Integers, uses: Floats
) -> float:
    """Return the unary, the smoothness of all edges and the cost of being a duplicate for one cell of an output."""
    first, second = labels[0, output, cell], labels[1, output, cell]
    edges = 0.0
    for direction in range(neighbours.shape[1]):
        beside = neighbours[cell, direction]
        if beside >= 0:
            edges += half_square_distance(first, second, labels[0, output, beside], labels[1, output, beside])
    own = cost[cell, first] + cost[cell, second] + uses[at.EXTRA, output, first] + uses[at.EXTRA, output, second]
    return 0.5 * own + weights[at.SMOOTHNESS] * edges


@kernel
def _set_cell(
    output: int, cell: int, first: int, second: int, matrices: Floats, labels: Integers, uses: Floats, inputs: Floats
) -> None:
    """Give a cell two inputs, or the same one twice, and update the counts."""
    for side in range(2):
        add_cells(output, labels[side, output, cell], -0.5, matrices, uses, inputs)
    labels[0, output, cell], labels[1, output, cell] = first, second
    for side in range(2):
        add_cells(output, labels[side, output, cell], 0.5, matrices, uses, inputs)


@kernel
def _move_cells(
    output: int,
    energy: float,
    cost: Floats,
    matrices: Floats,
    neighbours: Integers,
    weights: Floats,
    labels: Integers,
    uses: Floats,
    inputs: Floats,
    prices: Floats,
    lists: Integers,
) -> tuple[float, int]:
    """Move each cell of an output once where that lowers the energy; return the diversity term and how many moved."""
    _price_moves(output, weights, uses, inputs, prices)
    opened, moved = list_open_inputs(neighbours, weights, inputs, prices, lists), 0
    for cell in range(labels.shape[2]):
        current, most_saved = _price_current_label(output, cell, cost, neighbours, weights, labels, inputs)
        if _cheapest_cost(cell, opened, cost, prices, lists) - most_saved >= current:
            continue
        label = _find_move(output, cell, current, opened, cost, neighbours, weights, labels, prices, lists)
        if label < 0:
            continue
        first, second = labels[0, output, cell], labels[1, output, cell]
        before = _cell_energy(output, cell, cost, neighbours, weights, labels, uses) + energy
        _set_cell(output, cell, label, label, matrices, labels, uses, inputs)
        reached = diversity_energy(weights, uses, inputs)
        if _cell_energy(output, cell, cost, neighbours, weights, labels, uses) + reached < before - _LEAST_GAIN:
            energy, moved = reached, moved + 1
            _price_totals(weights, uses, inputs)
            _price_moves(output, weights, uses, inputs, prices)
            opened = list_open_inputs(neighbours, weights, inputs, prices, lists)
        else:
            _set_cell(output, cell, first, second, matrices, labels, uses, inputs)
    return energy, moved


@kernel
def search_locally(
    cost: Floats,
    matrices: Floats,
    neighbours: Integers,
    weights: Floats,
    labels: Integers,
    uses: Floats,
    inputs: Floats,
    prices: Floats,
    lists: Integers,
) -> float:
    """Lower the energy by moves of single cells; return the resulting diversity term.

    The search ends once a full round over the outputs has moved no cell, or after a few rounds.
    """
    _set_room(matrices, weights, inputs)
    _price_totals(weights, uses, inputs)
    energy, outputs, last = diversity_energy(weights, uses, inputs), labels.shape[1], 0
    for turn in range(_ROUNDS * outputs):
        output = turn % outputs
        energy, moved = _move_cells(
            output, energy, cost, matrices, neighbours, weights, labels, uses, inputs, prices, lists
        )
        last = turn if moved > 0 else last
        if turn - last >= outputs:
            break
    return energy
