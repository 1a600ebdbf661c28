"""Resolving duplicates: a cost that tells apart outputs made of the same inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.compiler.jit import kernel
from lightning_comixup.solvers.loops import fill_rows


@kernel
def _same_inputs(counts: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    for label in range(counts.shape[0]):
        if (counts[label] > 0.0) != (other[label] > 0.0):
            return False
    return True


@kernel
def separate_duplicates(counts: NDArray[np.float64], cost: float, extra: NDArray[np.float64]) -> bool:
    """Set extra[j, i] = `cost` where output j should leave input i; False if there is nothing to tell apart.

    For each pair of outputs with identical sets of at least two inputs, the first output pays for their first common
    input and the second for their second.
    """
    fill_rows(extra, 0.0)
    alike = False
    outputs, inputs = counts.shape
    for output in range(outputs):
        for other in range(output + 1, outputs):
            if not _same_inputs(counts[output], counts[other]):
                continue
            lowest, next_lowest = -1, -1
            for label in range(inputs):
                if counts[output, label] > 0.0:
                    if lowest < 0:
                        lowest = label
                    elif next_lowest < 0:
                        next_lowest = label
            if next_lowest >= 0:
                extra[output, lowest] = cost
                extra[other, next_lowest] = cost
                alike = True
    return alike
