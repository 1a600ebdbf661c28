"""Dead-end elimination: drop labels that no optimal labeling of the subproblem needs.

Label a goes at a cell when another label b there has own[b] - own[a] + Σ_neighbours max_l (pairwise[b, l] - pairwise[a,
l]) < 0, l over what the undecided neighbour may still take. Neighbours that are decided are in the own costs.
"""

from __future__ import annotations

from lightning_comixup.solvers.jit import kernel, small
from lightning_comixup.solvers.relations import OTHER, WORST_GAPS
from lightning_comixup.solvers.subproblem import KINDS_HELD, SETTLED, STALE, Subproblem, cheapest_place, note_kinds


@small
def _settle(cell: int, sub: Subproblem) -> None:
    """Add what the edges of a decided cell cost to its neighbours' own costs."""
    label = sub.label[cell, 0]
    for direction in range(sub.neighbours.shape[1]):
        neighbour = sub.neighbours[cell, direction]
        if neighbour >= 0 and sub.alive[neighbour] > 1:
            for place in range(sub.alive[neighbour]):
                sub.own[neighbour, place] += sub.pairwise[sub.label[neighbour, place], label]
    sub.work[SETTLED, cell] = 1


@small
def _loses_to(cell: int, candidate: int, rival: int, sub: Subproblem) -> bool:
    """Whether a label unrelated to half labels is dearer than its rival whatever the neighbours take.

    Along an edge the rival costs more than it only if the neighbour takes the label itself: every other label is as far
    from it as any input, or half label, is from any other.
    """
    label = sub.label[cell, candidate]
    edges = 0
    for direction in range(sub.neighbours.shape[1]):
        edges += sub.holds[sub.neighbours[cell, direction], label]
    gap = sub.own[cell, candidate] - sub.own[cell, rival]
    return edges * sub.pairwise[sub.label[cell, rival], label] < gap


@small
def _is_dominated(cell: int, candidate: int, rival: int, sub: Subproblem) -> bool:
    """Whether a half label, or an input of one, is dearer than its rival whatever the neighbours take."""
    kind, rival_kind = sub.kind[sub.label[cell, candidate]], sub.kind[sub.label[cell, rival]]
    quarters = 0
    for direction in range(sub.neighbours.shape[1]):
        quarters += WORST_GAPS[kind, rival_kind, sub.work[KINDS_HELD, sub.neighbours[cell, direction]]]
    gap = sub.own[cell, candidate] - sub.own[cell, rival]
    return 0.25 * sub.smoothness * quarters < gap


@small
def _is_needless(cell: int, candidate: int, best: int, sub: Subproblem) -> bool:
    """Whether a label loses to the cheapest one, or one related to half labels to another such label."""
    if sub.kind[sub.label[cell, candidate]] == OTHER:
        return candidate != best and _loses_to(cell, candidate, best, sub)
    for rival in range(sub.alive[cell]):
        is_rival = rival != candidate and (rival == best or sub.kind[sub.label[cell, rival]] != OTHER)
        if is_rival and _is_dominated(cell, candidate, rival, sub):
            return True
    return False


@small
def _drop(cell: int, place: int, sub: Subproblem) -> None:
    sub.holds[cell, sub.label[cell, place]] = 0
    last = sub.alive[cell] - 1
    for following in range(place, last):
        sub.label[cell, following] = sub.label[cell, following + 1]
        sub.own[cell, following] = sub.own[cell, following + 1]
    sub.alive[cell] = last
    note_kinds(cell, sub)


@small
def _eliminate_at(cell: int, sub: Subproblem) -> bool:
    """Drop the needless labels of one cell; whether there were any."""
    before = sub.alive[cell]
    best = cheapest_place(cell, sub)
    candidate = 0
    while candidate < sub.alive[cell]:
        if _is_needless(cell, candidate, best, sub):
            _drop(cell, candidate, sub)
            best = cheapest_place(cell, sub)
        else:
            candidate += 1
    return sub.alive[cell] < before


@kernel
def eliminate_dead_ends(sub: Subproblem) -> None:
    """Repeat the elimination until nothing drops; settle the cells that are decided."""
    cells = sub.neighbours.shape[0]
    for cell in range(cells):
        sub.work[STALE, cell] = sub.alive[cell] > 1
        if sub.alive[cell] == 1 and sub.work[SETTLED, cell] == 0:
            note_kinds(cell, sub)
            _settle(cell, sub)
    again = True
    while again:
        again = False
        for cell in range(cells):
            if sub.work[STALE, cell] == 0:
                continue
            sub.work[STALE, cell] = 0
            if not _eliminate_at(cell, sub):
                continue
            if sub.alive[cell] == 1:
                _settle(cell, sub)
            for direction in range(sub.neighbours.shape[1]):
                neighbour = sub.neighbours[cell, direction]
                if neighbour >= 0 and sub.alive[neighbour] > 1:
                    sub.work[STALE, neighbour] = 1
                    again = True
