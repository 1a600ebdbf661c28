"""The energy of a labeling: the objective that the solvers minimise, report and are tested against.

    E(z) =  Σ_j Σ_s ⟨unary_s, z_js⟩  +  β/2 Σ_j Σ_(s,t) ‖z_js - z_jt‖²  +  γ Σ_j ⟨φ(p_j), c_j⟩

Here z are the masks, c_j = Σ_s z_js the counts of output j, p_j = Σ_{k≠j} c_k those of the other outputs, and (s, t)
the edges of the grid. β and γ are divided by the number of cells S, τ is multiplied by it, and φ is

    hard: φ(p) = A (1[A p > τ] ⊙ p)        soft: φ(p) = (A p - τ) ⊙ 1[A p > τ].

The authors' code computes this hard φ (`mask * A @ p` binds as `(mask * A) @ p`), and their results come from it. The
paper writes 1[A p > τ] ⊙ (A p).
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.hyperparameters import Hyperparameters, make_hyperparameters
from lightning_comixup.method.problem import (
    Labeling,
    Problem,
    as_numbers,
    check_shapes,
    check_values,
    labeling_to_masks,
)

Floating = TypeVar("Floating", bound=np.floating[Any])

# Keeps the logarithm finite where the draw underflows (the authors' value).
LEAST_PRIOR = 1e-8
# A load that equals the threshold up to rounding must not count as above it: loads are sums of products with A.
_ROUNDING = 1e-9
# How far the sum of a cell's shares may be from 1: half precision rounds.
_SUM_TOLERANCE = 1e-2


def energy(
    masks: NDArray[np.floating[Any]],
    unary: NDArray[np.floating[Any]],
    compatibility: NDArray[np.floating[Any]],
    *,
    prior: NDArray[np.floating[Any]] | None = None,
    **hyperparameters: Any,
) -> float:
    """Return the energy of mixing masks (equation 4 of the paper, with the authors' thresholding).

    Args:
        masks: (M, N, *grid) mixing masks, the share of each input in each cell.
        unary: (N, *grid) data cost, without the prior.
        compatibility: (N, N) compatibility matrix A.
        prior: (N,) the Dirichlet draw a. If None, the energy has no prior term.
        **hyperparameters: As for `CoMixup`.

    Returns:
        The energy, in float64.

    Raises:
        ValueError: If shapes do not fit, values are not finite, masks are not shares, the prior is negative, or a
            hyper-parameter is out of range.
        TypeError: If an array does not consist of real numbers, or a hyper-parameter has the wrong type or name.
    """
    parameters = make_hyperparameters(hyperparameters)
    cost = as_numbers("unary", unary).astype(np.float64)
    compatibility = as_numbers("compatibility", compatibility)
    prior = None if prior is None else as_numbers("prior", prior)
    check_shapes(cost, compatibility, prior)
    check_values(cost, compatibility, prior)
    shares = as_numbers("masks", masks).astype(np.float64)
    _check_masks(shares, cost.shape)
    return _energy(shares, cost, compatibility, prior, parameters)


def labeling_energy(labeling: Labeling, problem: Problem) -> float:
    """Return the energy of a solver's labeling, in float64."""
    masks = labeling_to_masks(labeling, problem.unary.shape[0]).astype(np.float64)
    unary = problem.unary.astype(np.float64)
    return _energy(masks, unary, problem.compatibility, problem.prior, problem.hyperparameters)


def _energy(
    masks: NDArray[np.float64],
    unary: NDArray[np.float64],
    compatibility: NDArray[np.floating[Any]],
    prior: NDArray[np.floating[Any]] | None,
    parameters: Hyperparameters,
) -> float:
    if prior is not None:
        unary = add_prior(unary, prior.astype(np.float64), parameters.prior_weight)
    cells = unary[0].size
    data = float((masks * unary).sum())
    smooth = sum(float((np.diff(masks, axis=axis) ** 2).sum()) for axis in range(2, masks.ndim))
    counts = masks.reshape(*masks.shape[:2], -1).sum(2)
    diverse = _diversity_term(counts, np.asarray(compatibility, np.float64), cells, parameters)
    return data + parameters.smoothness / cells / 2 * smooth + parameters.diversity / cells * diverse


def compute_unary(pooled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unary (section 3 of the paper): each pooled saliency map divided by its sum, negated.

    Args:
        pooled: (N, *grid) saliency averaged over the cells, non-negative.

    Returns:
        (N, *grid), each map summing to -1. A map that is zero everywhere becomes uniform, because an input without
        saliency has no preference. The authors' code divides zero by zero there.
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


def capacity(parameters: Hyperparameters, cells: int) -> float:
    """Return the load τ·S above which an output incurs a penalty.

    A hard threshold is raised by a rounding error. A soft one needs no margin, since its penalty does not jump.
    """
    threshold = parameters.penalty_threshold * cells
    return threshold if parameters.thresholding == "soft" else threshold + _ROUNDING * max(threshold, cells)


def _diversity_term(
    counts: NDArray[np.float64], compatibility: NDArray[np.float64], cells: int, parameters: Hyperparameters
) -> float:
    """Return Σ_j ⟨φ(p_j), c_j⟩ from the counts c (M, N)."""
    others = counts.sum(0) - counts
    threshold = capacity(parameters, cells)
    load = others @ compatibility.T
    if parameters.thresholding == "hard":
        penalty = np.where(load > threshold, others, 0.0) @ compatibility.T
    else:
        penalty = np.maximum(load - threshold, 0.0)
    return float((penalty * counts).sum())


def count_over_capacity(labeling: Labeling, problem: Problem) -> int:
    """Return the number of outputs with an input that the other outputs use beyond the capacity."""
    masks, parameters = labeling_to_masks(labeling, problem.unary.shape[0]), problem.hyperparameters
    counts = masks.reshape(*masks.shape[:2], -1).sum(2, dtype=np.float64)
    load = (counts.sum(0) - counts) @ problem.compatibility.astype(np.float64).T
    return int(((counts > 0) & (load > capacity(parameters, labeling.first[0].size))).any(1).sum())


def _check_masks(masks: NDArray[np.float64], shape: tuple[int, ...]) -> None:
    if masks.shape[1:] != shape or len(masks) < 1:
        raise ValueError(
            f"masks must be (M, N, *grid) with the unary's (N, *grid): found {masks.shape} and {shape}. Pass the masks "
            "that `optimize_masks` returns, or one mask per input."
        )
    sums = masks.sum(1)
    if not (masks.min() >= 0 and np.abs(sums - 1).max() <= _SUM_TOLERANCE):  # NaN fails as well
        raise ValueError(
            f"masks must be shares of the inputs that sum to 1 in each cell, found values from {masks.min():.4g} and "
            f"sums from {sums.min():.4g} to {sums.max():.4g}. Divide them by their sum over the inputs."
        )
