"""Resolving duplicates: a cost that separates outputs made of the same inputs."""

from __future__ import annotations

from lightning_comixup.solvers import arrays as at
from lightning_comixup.solvers.arrays import Floats
from lightning_comixup.solvers.compiled import kernel


@kernel
def _use_same_inputs(output: int, other: int, uses: Floats) -> bool:
    for label in range(uses.shape[2]):
        if (uses[at.COUNT, output, label] > 0.0) != (uses[at.COUNT, other, label] > 0.0):
            return False
    return True


@kernel
def clear_extra(uses: Floats) -> None:
    """Remove the costs of being a duplicate from all outputs."""
    for output in range(uses.shape[1]):
        for label in range(uses.shape[2]):
            uses[at.EXTRA, output, label] = 0.0


@kernel
def separate_duplicates(separating: float, uses: Floats) -> bool:
    """Add the cost `separating` (γ/S or 0) to the prices of duplicate outputs; return whether there are any.

    For each pair of outputs with identical sets of at least two inputs, the cost falls on their first common input in
    the first output, and on their second one in the second output. No such cost may have been set before.
    """
    alike = False
    for output in range(uses.shape[1]):
        for other in range(output + 1, uses.shape[1]):
            if not _use_same_inputs(output, other, uses):
                continue
            lowest, next_lowest = -1, -1
            for label in range(uses.shape[2]):
                if uses[at.COUNT, output, label] > 0.0 and next_lowest < 0:
                    lowest, next_lowest = (label, -1) if lowest < 0 else (lowest, label)
            if next_lowest >= 0:
                uses[at.EXTRA, output, lowest] = uses[at.EXTRA, other, next_lowest] = separating
                alike = True
    return alike
