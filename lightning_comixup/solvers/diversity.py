"""The diversity term: how much of each input the outputs use, and the penalty for inputs that others use.

The load that output j sees is A p_j = Σ_k A c_k - A c_j. With it the term is

    hard: γ Σ_ji [A p_j > τ]_i (Aᵀ c_j)_i p_ji        soft: γ Σ_ji c_ji max(A p_j - τ, 0)_i,

which takes one pass over (outputs, inputs) and needs no product with A.
"""

from __future__ import annotations

from lightning_comixup.solvers import arrays as at
from lightning_comixup.solvers.arrays import Floats, Integers
from lightning_comixup.solvers.compiled import kernel, small


@small
def add_cells(output: int, label: int, cells: float, matrices: Floats, uses: Floats, inputs: Floats) -> None:
    """Let an output use `cells` more cells of an input."""
    uses[at.COUNT, output, label] += cells
    inputs[at.TOTAL, label] += cells
    for other in range(inputs.shape[1]):
        load = cells * matrices[at.TRANSPOSED, label, other]
        uses[at.LOAD, output, other] += load
        inputs[at.TOTAL_LOAD, other] += load
        uses[at.PENALTY, output, other] += cells * matrices[at.A, label, other]


@kernel
def count_output(output: int, matrices: Floats, labels: Integers, uses: Floats, inputs: Floats) -> None:
    """Recount how much an output uses of each input."""
    for label in range(inputs.shape[1]):
        inputs[at.TOTAL, label] -= uses[at.COUNT, output, label]
        inputs[at.TOTAL_LOAD, label] -= uses[at.LOAD, output, label]
        for row in (at.COUNT, at.LOAD, at.PENALTY):
            uses[row, output, label] = 0.0
    for side in range(2):
        for cell in range(labels.shape[2]):
            uses[at.COUNT, output, labels[side, output, cell]] += 0.5
    for label in range(inputs.shape[1]):
        cells = uses[at.COUNT, output, label]
        if cells > 0.0:
            for other in range(inputs.shape[1]):
                uses[at.LOAD, output, other] += cells * matrices[at.TRANSPOSED, label, other]
                uses[at.PENALTY, output, other] += cells * matrices[at.A, label, other]
    for label in range(inputs.shape[1]):
        inputs[at.TOTAL, label] += uses[at.COUNT, output, label]
        inputs[at.TOTAL_LOAD, label] += uses[at.LOAD, output, label]


@kernel
def diversity_energy(weights: Floats, uses: Floats, inputs: Floats) -> float:
    """Return γ Σ_j ⟨φ(p_j), c_j⟩."""
    soft, capacity = weights[at.SOFT] > 0.0, weights[at.CAPACITY]
    for label in range(inputs.shape[1]):
        inputs[at.TERM, label] = 0.0
    # The sum is kept separately for each input, so that vector instructions cannot change its order.
    for output in range(uses.shape[1]):
        for label in range(inputs.shape[1]):
            count = uses[at.COUNT, output, label]
            over = inputs[at.TOTAL_LOAD, label] - uses[at.LOAD, output, label] - capacity
            cost = count * over if soft else uses[at.PENALTY, output, label] * (inputs[at.TOTAL, label] - count)
            inputs[at.TERM, label] += cost if over > 0.0 else 0.0
    term = 0.0
    for label in range(inputs.shape[1]):
        term += inputs[at.TERM, label]
    return weights[at.DIVERSITY] * term


@kernel
def price_modular_bound(
    output: int, matrices: Floats, weights: Floats, uses: Floats, inputs: Floats, prices: Floats
) -> None:
    """Set the price of a cell of each input: the modular penalty 2γ φ(p), and the cost that resolves duplicates.

    hard: φ(p) = A (1[A p > τ] ⊙ p), as in the authors' code; soft: φ(p) = (A p - τ) ⊙ 1[A p > τ].
    """
    for label in range(inputs.shape[1]):
        prices[at.PRICE, label] = uses[at.EXTRA, output, label]
    weight = 2.0 * weights[at.DIVERSITY]
    for label in range(inputs.shape[1]):
        over = inputs[at.TOTAL_LOAD, label] - uses[at.LOAD, output, label] - weights[at.CAPACITY]
        if over > 0.0 and weights[at.SOFT] > 0.0:
            prices[at.PRICE, label] += weight * over
        elif over > 0.0:
            others = inputs[at.TOTAL, label] - uses[at.COUNT, output, label]
            for other in range(inputs.shape[1]):
                prices[at.PRICE, other] += weight * others * matrices[at.TRANSPOSED, label, other]


@kernel
def exceeds_capacity(output: int, weights: Floats, uses: Floats, inputs: Floats) -> bool:
    """Whether an output uses an input that the others use beyond the capacity."""
    for label in range(inputs.shape[1]):
        load = inputs[at.TOTAL_LOAD, label] - uses[at.LOAD, output, label]
        if uses[at.COUNT, output, label] > 0.0 and load > weights[at.CAPACITY]:
            return True
    return False
