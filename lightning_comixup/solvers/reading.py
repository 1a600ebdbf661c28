"""Reading a problem: its numbers checked, the prior added to the unary, and all of it laid out for the solver."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.method.energy import LEAST_PRIOR
from lightning_comixup.solvers.compiler.jit import checking
from lightning_comixup.solvers.group import Group

# Bound on every sum of the solver; sums of a few such still are finite numbers.
MOST_ENERGY = 1e300


class Arguments(NamedTuple):
    """What a problem consists of: of these types, contiguous and writable; any other would be compiled for anew."""

    unary: NDArray[np.float64]  # (N, cells)
    compatibility: NDArray[np.float64]  # (N, N)
    prior: NDArray[np.float64]  # (N,)
    prior_weight: float
    starts: NDArray[np.int64]  # (restarts, M, cells)


@checking
def _read_unary(unary: NDArray[np.float64], prior: NDArray[np.float64], prior_weight: float, group: Group) -> float:
    """Set the group's unary, the prior included; return the largest magnitude, infinity if there is no telling."""
    largest, cells = 0.0, unary.shape[1]
    for label in range(unary.shape[0]):
        if not 0.0 <= prior[label] < np.inf:
            return np.inf
        added = prior_weight / cells * math.log(prior[label] + LEAST_PRIOR)
        for cell in range(cells):
            cost = unary[label, cell] - added
            if not abs(cost) < np.inf:
                return np.inf
            group.unary[cell, label] = cost
            largest = max(largest, abs(cost))
    return largest


@checking
def _read_compatibility(compatibility: NDArray[np.float64], group: Group) -> float:
    """Set the group's matrices; return the largest magnitude, infinity if there is no telling."""
    largest = 0.0
    for row in range(compatibility.shape[0]):
        for column in range(compatibility.shape[1]):
            entry = compatibility[row, column]
            if not abs(entry) < np.inf:
                return np.inf
            group.matrix[row, column] = entry
            group.spread[column, row] = entry
            largest = max(largest, abs(entry))
    return largest


@checking
def _are_labels(starts: NDArray[np.int64], inputs: int) -> bool:
    """Whether every number is the index of an input."""
    for start in range(starts.shape[0]):
        for output in range(starts.shape[1]):
            for cell in range(starts.shape[2]):
                if not 0 <= starts[start, output, cell] < inputs:
                    return False
    return True


@checking
def read_problem(arguments: Arguments, group: Group) -> bool:
    """Set what a group knows of its inputs; False if the problem is none, or energies might overflow."""
    inputs, cells = arguments.unary.shape
    outputs = arguments.starts.shape[1]
    largest = _read_unary(arguments.unary, arguments.prior, arguments.prior_weight, group)
    paid = group.diversity * cells * _read_compatibility(arguments.compatibility, group) * inputs * outputs * cells
    reached = (largest + group.smoothness * cells + paid) * outputs * cells
    return reached < MOST_ENERGY and _are_labels(arguments.starts, inputs)
