"""The diversity term: the penalty φ on what the other outputs already use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.jit import kernel, small


@small
def penalty(
    inputs: int, vectors: NDArray[np.float64], spread: NDArray[np.float64], threshold: float, soft: bool
) -> None:
    """Set vectors[1] = φ(p) from vectors[0] = p, each of length `inputs`; vectors[2] is working space.

    hard: φ(p) = A (1[A p > τ] ⊙ p), the authors' code; soft: φ(p) = (A p - τ) ⊙ 1[A p > τ]. `spread` is A transposed:
    a product adds up rows, which the compiler turns into vector instructions.
    """
    for i in range(inputs):
        vectors[2, i] = 0.0
    for k in range(inputs):
        used = vectors[0, k]
        if used != 0.0:
            for i in range(inputs):
                vectors[2, i] += spread[k, i] * used
    for i in range(inputs):
        vectors[1, i] = max(vectors[2, i] - threshold, 0.0) if soft else 0.0
    if soft:
        return
    for k in range(inputs):
        used = vectors[0, k]
        if used > 0.0 and vectors[2, k] > threshold:
            for i in range(inputs):
                vectors[1, i] += spread[k, i] * used


@kernel
def total_diversity(
    counts: NDArray[np.int32],
    totals: NDArray[np.int32],
    spread: NDArray[np.float64],
    threshold: float,
    soft: bool,
    vectors: NDArray[np.float64],
) -> float:
    """Return Σ_j ⟨φ(p_j), c_j⟩; counts and totals are in halves.

    With A p_j = A Σ_k c_k - A c_j, and c_j zero but for a few inputs, this takes a few rows of A per output.
    """
    outputs, inputs = counts.shape
    for i in range(inputs):
        vectors[0, i] = 0.0
    for k in range(inputs):
        for i in range(inputs):
            vectors[0, i] += 0.5 * totals[k] * spread[k, i]
    total = 0.0
    for output in range(outputs):
        for i in range(inputs):
            vectors[1, i] = vectors[0, i]
        for k in range(inputs):
            if counts[output, k] > 0:
                for i in range(inputs):
                    vectors[1, i] -= 0.5 * counts[output, k] * spread[k, i]
        for k in range(inputs):
            if vectors[1, k] <= threshold:
                continue
            if soft:
                total += 0.5 * counts[output, k] * (vectors[1, k] - threshold)
            else:
                paid = 0.0
                for i in range(inputs):
                    paid += spread[k, i] * counts[output, i]
                total += 0.25 * paid * (totals[k] - counts[output, k])
    return total
