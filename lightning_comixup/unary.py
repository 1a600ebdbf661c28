"""The data cost: how badly an input wants each cell, and the prior on how much of it is used."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floating = TypeVar("Floating", bound=np.floating[Any])

# Keeps the logarithm finite where the draw underflows (the authors' value).
LEAST_PRIOR = 1e-8


def unary_of(pooled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unary (section 3 of the paper): each pooled saliency map divided by its sum, negated.

    Args:
        pooled: (N, *grid) saliency averaged over the cells, not negative.

    Returns:
        (N, *grid), each map summing to -1. A map that is zero everywhere becomes uniform, where the authors' code
        divides zero by zero: an input without saliency has no preference.
    """
    flat = pooled.reshape(pooled.shape[0], -1)
    sums = flat.sum(1, keepdims=True)
    share = np.divide(flat, sums, out=np.full_like(flat, 1.0 / flat.shape[1]), where=sums > 0)
    return -share.reshape(pooled.shape)


def add_prior(unary: NDArray[Floating], prior: NDArray[Floating], prior_weight: float) -> NDArray[Floating]:
    """Return unary_i - (η / S) · log(a_i + 1e-8), in the unary's dtype.

    Args:
        unary: (N, *grid), S cells.
        prior: (N,) the Dirichlet draw a.
        prior_weight: η.
    """
    cells = unary[0].size
    term = prior_weight / cells * np.log(prior + unary.dtype.type(LEAST_PRIOR))
    return unary - term.astype(unary.dtype).reshape(-1, *(1,) * (unary.ndim - 1))
