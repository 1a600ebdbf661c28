"""The diversity term: the penalty φ on what the other outputs already use."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.jit import kernel


@kernel
def penalty(vector: NDArray[np.float64], compatibility: NDArray[np.float64], threshold: float, soft: bool) -> None:
    """Set vector[1] = φ(p) from vector[0] = p; vector[2] is working space.

    hard: φ(p) = A (1[A p > τ] ⊙ p), the authors' code; soft: φ(p) = (A p - τ) ⊙ 1[A p > τ].
    """
    inputs = vector.shape[1]
    others, result, over = vector[0], vector[1], vector[2]
    for i in range(inputs):
        load = 0.0
        for k in range(inputs):
            load += compatibility[i, k] * others[k]
        result[i] = max(load - threshold, 0.0) if soft else 0.0
        over[i] = others[i] if load > threshold else 0.0
    if soft:
        return
    for k in range(inputs):
        if over[k] > 0.0:
            for i in range(inputs):
                result[i] += compatibility[i, k] * over[k]


@kernel
def total_diversity(
    counts: NDArray[np.int32],
    totals: NDArray[np.int32],
    compatibility: NDArray[np.float64],
    threshold: float,
    soft: bool,
    vector: NDArray[np.float64],
) -> float:
    """Return Σ_j ⟨φ(p_j), c_j⟩; counts and totals are in halves."""
    total = 0.0
    for output in range(counts.shape[0]):
        for label in range(counts.shape[1]):
            vector[0, label] = 0.5 * (totals[label] - counts[output, label])
        penalty(vector, compatibility, threshold, soft)
        for label in range(counts.shape[1]):
            total += 0.5 * vector[1, label] * counts[output, label]
    return total
