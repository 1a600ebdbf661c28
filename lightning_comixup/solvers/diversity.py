"""The diversity term: what outputs pay for inputs that the other outputs already use.

With B = c Aᵀ (outputs, inputs) the load that an output sees is A p_j = Σ_k B_k - B_j, and with D = c A (the same, where
A is symmetric) the whole term

    hard: Σ_ji D_ji [A p_j > τ]_i p_ji        soft: Σ_ji c_ji max(A p_j - τ, 0)_i

is one pass over such matrices, where the counts need a product with A.
"""

from __future__ import annotations

from lightning_comixup.solvers.compiler.jit import kernel, small
from lightning_comixup.solvers.compiler.lanes import (
    LANES,
    add,
    load,
    multiply,
    same,
    store,
    subtract,
    total,
    where_above,
)
from lightning_comixup.solvers.group import Group, State


@small
def spread_output(output: int, group: Group, state: State) -> None:
    """Set B_j, D_j and the loads from the counts of one output."""
    width = state.counts.shape[1]
    for at in range(0, width, LANES):
        store(state.load, 0, at, subtract(load(state.load, 0, at), load(state.spread, output, at)))
        store(state.spread, output, at, same(0.0))
        store(state.paying, output, at, same(0.0))
    for used in range(group.inputs):
        if state.counts[output, used] > 0.0:
            cells = same(state.counts[output, used])
            for at in range(0, width, LANES):
                more = multiply(load(group.spread, used, at), cells)
                paying = multiply(load(group.matrix, used, at), cells)
                store(state.spread, output, at, add(load(state.spread, output, at), more))
                store(state.paying, output, at, add(load(state.paying, output, at), paying))
    for at in range(0, width, LANES):
        store(state.load, 0, at, add(load(state.load, 0, at), load(state.spread, output, at)))


@kernel
def diversity_energy(group: Group, state: State) -> float:
    """Return γ Σ_j ⟨φ(p_j), c_j⟩."""
    threshold, nothing = same(group.penalty_threshold), same(0.0)
    paid = nothing
    for at in range(0, state.counts.shape[1], LANES):
        limit = subtract(load(state.load, 0, at), threshold)
        totals = load(state.totals, 0, at)
        for output in range(state.counts.shape[0]):
            count = load(state.counts, output, at)
            over = subtract(limit, load(state.spread, output, at))
            others = subtract(totals, count)
            cost = multiply(over, count) if group.soft else multiply(load(state.paying, output, at), others)
            paid = add(paid, where_above(over, nothing, cost, nothing))
    return group.diversity * total(paid)


@small
def penalty(output: int, group: Group, state: State) -> None:
    """Set added[0] = φ(p_j), the penalty that the output sees; added[1] is working space.

    hard: φ(p) = A (1[A p > τ] ⊙ p), the authors' code; soft: φ(p) = (A p - τ) ⊙ 1[A p > τ].
    """
    nothing = same(0.0)
    for at in range(0, state.counts.shape[1], LANES):
        seen = subtract(load(state.load, 0, at), load(state.spread, output, at))
        over = subtract(seen, same(group.penalty_threshold))
        others = subtract(load(state.totals, 0, at), load(state.counts, output, at))
        store(state.added, 0, at, where_above(over, nothing, over, nothing) if group.soft else nothing)
        store(state.added, 1, at, where_above(over, nothing, others, nothing))
    if group.soft:
        return
    for used in range(group.inputs):
        cells = state.added[1, used]
        if cells > 0.0:
            for at in range(0, state.counts.shape[1], LANES):
                more = multiply(load(group.spread, used, at), same(cells))
                store(state.added, 0, at, add(load(state.added, 0, at), more))
