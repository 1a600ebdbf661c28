"""Exchanges between two outputs, for what no step on one output alone can mend.

After some sweeps nearly every input is in full use: an output whose share of one is penalised can neither keep it nor
take another. If two outputs exchange what they hold in some cells, each input is used as much as before; the unary term
stays, and of the diversity term only what the two outputs pay changes.
"""

from __future__ import annotations

from lightning_comixup.solvers.group import Group, State
from lightning_comixup.solvers.half_labels import half_square_distance
from lightning_comixup.solvers.jit import kernel, small

# Rounds over the penalised shares. Heuristic: the first mends most, the third hardly any.
_ROUNDS = 3
# A gain below this is rounding (energies are of order one and more).
_LEAST_GAIN = 1e-9


@small
def _share_cost(count: int, total: int, group: Group) -> float:
    """Return what an output pays for `count` halves of an input that all outputs use `total` of, for A = I.

    The distances in A change a share's cost by a thousandth (ω): whether an exchange helps is decided without them.
    """
    share, others = 0.5 * count, 0.5 * (total - count)
    if others <= group.penalty_threshold:
        return 0.0
    return group.diversity * share * (others - group.penalty_threshold if group.soft else others)


@small
def _uses(output: int, cell: int, label: int, state: State) -> bool:
    return state.first[output, cell] == label or state.second[output, cell] == label


@small
def _mark_cells(output: int, other: int, source: int, label: int, state: State) -> bool:
    """Mark the cells in which the source uses the label and the two outputs do not both; False if there are none."""
    found = False
    for cell in range(state.first.shape[1]):
        both = _uses(output, cell, label, state) and _uses(other, cell, label, state)
        state.marks[cell] = _uses(source, cell, label, state) and not both
        found = found or state.marks[cell]
    return found


@small
def _smoothness_change(output: int, other: int, group: Group, state: State) -> float:
    """Return the change along the edges between marked cells and others; along all other edges there is none."""
    first, second = state.first, state.second
    change = 0.0
    for cell in range(first.shape[1]):
        if not state.marks[cell]:
            continue
        a, b, c, d = first[output, cell], second[output, cell], first[other, cell], second[other, cell]
        for direction in range(group.neighbours.shape[1]):
            beside = group.neighbours[cell, direction]
            if beside >= 0 and not state.marks[beside]:
                e, f, g, h = first[output, beside], second[output, beside], first[other, beside], second[other, beside]
                change += half_square_distance(c, d, e, f) + half_square_distance(a, b, g, h)
                change -= half_square_distance(a, b, e, f) + half_square_distance(c, d, g, h)
    return group.smoothness * change


@small
def _diversity_change(output: int, other: int, group: Group, state: State) -> float:
    """Return the change of what the two outputs pay for their shares."""
    shift = state.candidates  # free while no subproblem is being filled
    inputs = state.counts.shape[1]
    for label in range(inputs):
        shift[label] = 0
    for cell in range(state.first.shape[1]):
        if state.marks[cell]:
            shift[state.first[output, cell]] -= 1
            shift[state.second[output, cell]] -= 1
            shift[state.first[other, cell]] += 1
            shift[state.second[other, cell]] += 1
    change = 0.0
    for label in range(inputs):
        if shift[label] != 0:
            mine, theirs, total = state.counts[output, label], state.counts[other, label], state.totals[label]
            change += _share_cost(mine + shift[label], total, group) - _share_cost(mine, total, group)
            change += _share_cost(theirs - shift[label], total, group) - _share_cost(theirs, total, group)
    return change


@small
def _exchange(output: int, other: int, state: State) -> None:
    """Exchange what two outputs hold in the marked cells."""
    for cell in range(state.first.shape[1]):
        if state.marks[cell]:
            for held in (state.first, state.second):
                mine, theirs = held[output, cell], held[other, cell]
                held[output, cell], held[other, cell] = theirs, mine
                state.counts[output, mine] -= 1
                state.counts[output, theirs] += 1
                state.counts[other, mine] += 1
                state.counts[other, theirs] -= 1


@kernel
def _mend(output: int, label: int, group: Group, state: State) -> bool:
    """Make the exchange that helps an output most with its share of one input; False if none helps.

    With each other output it may give its cells of that input away, or get the other's.
    """
    lowest, partner, giver = -_LEAST_GAIN, -1, -1
    for other in range(state.first.shape[0]):
        if other == output:
            continue
        for source in (output, other):
            if state.counts[source, label] > 0 and _mark_cells(output, other, source, label, state):
                change = _diversity_change(output, other, group, state)
                if change < lowest:
                    change += _smoothness_change(output, other, group, state)
                    if change < lowest:
                        lowest, partner, giver = change, other, source
    if partner < 0:
        return False
    _mark_cells(output, partner, giver, label, state)
    _exchange(output, partner, state)
    return True


@kernel
def exchange_shares(group: Group, state: State) -> None:
    """Mend penalised shares by exchanges, each the one that lowers the energy most."""
    for _ in range(_ROUNDS):
        changed = False
        for output in range(state.counts.shape[0]):
            for label in range(state.counts.shape[1]):
                count = state.counts[output, label]
                if count > 0 and _share_cost(count, state.totals[label], group) > 0.0:
                    changed = _mend(output, label, group, state) or changed
        if not changed:
            break
