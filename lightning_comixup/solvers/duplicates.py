"""Resolving duplicates: a cost that tells apart outputs made of the same inputs."""

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
    """Let no output pay for being a duplicate."""
    for output in range(uses.shape[1]):
        for label in range(uses.shape[2]):
            uses[at.EXTRA, output, label] = 0.0


@kernel
def separate_duplicates(separating: float, uses: Floats) -> bool:
    """Set what resolving duplicates adds to the prices, γ/S or nothing; False if there is nothing to tell apart.

    For each pair of outputs with identical sets of at least two inputs, the first output pays for their first common
    input and the second for their second. Nothing may be set before.
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
