"""Loading a problem: checking its numbers, adding the prior to the unary, and laying it all out for the kernels."""

from __future__ import annotations

import math

import numpy as np

from lightning_comixup.method.energy import LEAST_PRIOR, capacity
from lightning_comixup.method.problem import Problem
from lightning_comixup.solvers import arrays as at
from lightning_comixup.solvers.arrays import Floats, Integers
from lightning_comixup.solvers.compiled import checking

# Upper bound on every sum in the solver. Adding a few such sums still gives a finite number.
MOST_ENERGY = 1e300
# More sweeps would take minutes per group, and the kernels' integers must not overflow.
_MOST_SWEEPS = 1_000_000


def scaled_weights(problem: Problem) -> Floats:
    """Return the hyper-parameters that the kernels need, scaled by the number of cells: (WEIGHTS,) float64."""
    parameters, cells = problem.hyperparameters, problem.unary[0].size
    weights = np.empty(at.WEIGHTS)
    weights[at.SMOOTHNESS] = parameters.smoothness / cells
    weights[at.DIVERSITY] = parameters.diversity / cells
    weights[at.CAPACITY] = capacity(parameters, cells)
    weights[at.SOFT] = parameters.thresholding == "soft"
    weights[at.PRIOR] = parameters.prior_weight / cells
    weights[at.SWEEPS] = min(parameters.sweeps, _MOST_SWEEPS)
    weights[at.RESOLVE] = parameters.resolve_duplicates
    return weights


@checking
def _load_unary(unary: Floats, prior: Floats, weights: Floats, cost: Floats, inputs: Floats) -> float:
    """Set the costs and their extremes; return the largest magnitude, or infinity if a value is invalid."""
    largest = 0.0
    for label in range(unary.shape[0]):
        if not 0.0 <= prior[label] < np.inf:
            return np.inf
        added = weights[at.PRIOR] * math.log(prior[label] + LEAST_PRIOR)
        inputs[at.LOWEST, label], inputs[at.HIGHEST, label] = np.inf, -np.inf
        for cell in range(unary.shape[1]):
            own = unary[label, cell] - added
            if not abs(own) < np.inf:
                return np.inf
            cost[cell, label] = own
            inputs[at.LOWEST, label] = min(inputs[at.LOWEST, label], own)
            inputs[at.HIGHEST, label] = max(inputs[at.HIGHEST, label], own)
            largest = max(largest, abs(own))
    return largest


@checking
def _load_compatibility(compatibility: Floats, matrices: Floats) -> float:
    """Set both matrices; return the largest magnitude, or infinity if a value is invalid."""
    largest = 0.0
    for row in range(compatibility.shape[0]):
        for column in range(compatibility.shape[1]):
            entry = compatibility[row, column]
            if not abs(entry) < np.inf:
                return np.inf
            matrices[at.A, row, column] = matrices[at.TRANSPOSED, column, row] = entry
            largest = max(largest, abs(entry))
    return largest


@checking
def load_problem(
    unary: Floats,
    compatibility: Floats,
    prior: Floats,
    starts: Integers,
    weights: Floats,
    cost: Floats,
    matrices: Floats,
    inputs: Floats,
) -> bool:
    """Fill the arrays of a problem for the kernels; return False if it is invalid or energies might overflow."""
    size, cells = unary.shape
    outputs = starts.shape[1]
    largest = _load_unary(unary, prior, weights, cost, inputs)
    entry = _load_compatibility(compatibility, matrices)
    paid = weights[at.DIVERSITY] * cells * entry * size * outputs * cells
    reached = (largest + weights[at.SMOOTHNESS] * cells + paid) * outputs * cells
    for start in range(starts.shape[0]):
        for output in range(outputs):
            for cell in range(cells):
                if not 0 <= starts[start, output, cell] < size:
                    return False
    return entry < np.inf and reached < MOST_ENERGY
