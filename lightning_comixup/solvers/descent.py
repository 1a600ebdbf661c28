"""Block-wise descent: sweeps over the outputs of one group, each solved with the others held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.block import Group, State, recount, solve_output
from lightning_comixup.solvers.diversity import total_diversity
from lightning_comixup.solvers.duplicates import separate_duplicates
from lightning_comixup.solvers.half_labels import half_square_distance
from lightning_comixup.solvers.jit import inlined, kernel
from lightning_comixup.solvers.loops import copy_rows, fill_rows
from lightning_comixup.solvers.subproblem import Subproblem


@kernel
def group_energy(group: Group, state: State) -> float:
    """Return the energy of the labeling: `lightning_comixup.energy.energy`, from labels instead of masks."""
    total = group.diversity * total_diversity(
        state.counts, state.totals, group.compatibility, group.penalty_threshold, group.soft, state.vectors
    )
    for output in range(state.first.shape[0]):
        first, second = state.first[output], state.second[output]
        for cell in range(first.shape[0]):
            total += 0.5 * (group.unary[cell, first[cell]] + group.unary[cell, second[cell]])
            for direction in range(group.neighbours.shape[1]):
                other = group.neighbours[cell, direction]
                if other > cell:
                    total += group.smoothness * half_square_distance(
                        first[cell], second[cell], first[other], second[other]
                    )
    return total


@inlined
def descend(
    group: Group,
    state: State,
    sub: Subproblem,
    best: NDArray[np.int32],
    lowest: float,
    tally: NDArray[np.int64],
) -> float:
    """Sweep from the labeling in `state`; keep in `best` the labeling of the lowest energy seen, if below `lowest`.

    A sweep can raise the energy, because it replaces the diversity term by a modular bound of it; so the best sweep
    counts, where the authors return the last. `tally` grows by (subproblems proven optimal, subproblems).
    """
    recount(state)
    fill_rows(state.extra, 0.0)
    previous = group_energy(group, state)
    for sweep in range(group.sweeps):
        for output in range(state.first.shape[0]):
            tally[0] += solve_output(output, sweep > 0, group, state, sub)
            tally[1] += 1
        if group.resolve_duplicates and sweep == group.sweeps - 2:
            separate_duplicates(state.counts, group.diversity, state.extra)
        reached = group_energy(group, state)
        if reached < lowest:
            lowest = reached
            copy_rows(best[0], state.first)
            copy_rows(best[1], state.second)
        if abs(previous - reached) < group.tolerance * abs(reached):
            break
        previous = reached
    return lowest
