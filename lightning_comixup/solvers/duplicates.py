"""Resolving duplicates: a cost that tells apart outputs made of the same inputs."""

from __future__ import annotations

from lightning_comixup.solvers.compiler.jit import kernel
from lightning_comixup.solvers.group import Group, State
from lightning_comixup.solvers.loops import fill_rows


@kernel
def _same_inputs(output: int, other: int, state: State) -> bool:
    for label in range(state.counts.shape[1]):
        if (state.counts[output, label] > 0.0) != (state.counts[other, label] > 0.0):
            return False
    return True


@kernel
def separate_duplicates(group: Group, state: State) -> bool:
    """Set what resolving duplicates adds to the penalty, γ/S; False if there is nothing to tell apart.

    For each pair of outputs with identical sets of at least two inputs, the first output pays for their first common
    input and the second for their second.
    """
    fill_rows(state.extra, 0.0)
    alike = False
    outputs = state.counts.shape[0]
    for output in range(outputs):
        for other in range(output + 1, outputs):
            if not _same_inputs(output, other, state):
                continue
            lowest, next_lowest = -1, -1
            for label in range(group.inputs):
                if state.counts[output, label] > 0.0:
                    if lowest < 0:
                        lowest = label
                    elif next_lowest < 0:
                        next_lowest = label
            if next_lowest >= 0:
                state.extra[output, lowest] = group.diversity
                state.extra[other, next_lowest] = group.diversity
                alike = True
    return alike
