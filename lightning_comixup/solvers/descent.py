"""Block-wise descent: sweeps over the outputs of one group, each solved with the others held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.block import solve_output
from lightning_comixup.solvers.diversity import total_diversity
from lightning_comixup.solvers.duplicates import separate_duplicates
from lightning_comixup.solvers.exchanges import exchange_shares
from lightning_comixup.solvers.group import Group, State, count_output, recount
from lightning_comixup.solvers.half_labels import half_square_distance
from lightning_comixup.solvers.jit import inlined, kernel, small
from lightning_comixup.solvers.loops import copy_rows, fill_rows
from lightning_comixup.solvers.subproblem import Subproblem


@kernel
def _output_energy(output: int, group: Group, state: State) -> float:
    """Return unary and smoothness of one output."""
    total = 0.0
    for cell in range(state.first.shape[1]):
        first, second = state.first[output, cell], state.second[output, cell]
        total += 0.5 * (group.unary[cell, first] + group.unary[cell, second])
        for direction in range(group.neighbours.shape[1]):
            other = group.neighbours[cell, direction]
            if other > cell:
                total += group.smoothness * half_square_distance(
                    first, second, state.first[output, other], state.second[output, other]
                )
    return total


@kernel
def _diversity_energy(group: Group, state: State) -> float:
    return group.diversity * total_diversity(
        state.counts, state.totals, group.spread, group.penalty_threshold, group.soft, state.vectors
    )


@kernel
def group_energy(group: Group, state: State) -> float:
    """Return the energy of the labeling: `lightning_comixup.energy.energy`, from labels instead of masks."""
    total = _diversity_energy(group, state)
    for output in range(state.first.shape[0]):
        total += _output_energy(output, group, state)
    return total


@small
def _keep_lower(reached: float, lowest: float, state: State, best: NDArray[np.int32]) -> float:
    """Keep the labeling if its energy is below the lowest; return the lowest."""
    if reached < lowest:
        copy_rows(best[0], state.first)
        copy_rows(best[1], state.second)
    return min(reached, lowest)


@small
def _has_changed(output: int, state: State) -> bool:
    """Whether an output differs from the labeling that was set aside."""
    for cell in range(state.first.shape[1]):
        if state.first[output, cell] != state.aside[0, cell] or state.second[output, cell] != state.aside[1, cell]:
            return True
    return False


@kernel
def _put_back(output: int, state: State) -> None:
    """Give an output back the labeling that was set aside."""
    count_output(output, -1, state)
    for cell in range(state.first.shape[1]):
        state.first[output, cell] = state.aside[0, cell]
        state.second[output, cell] = state.aside[1, cell]
    count_output(output, 1, state)


@small
def _set_aside(output: int, state: State) -> None:
    for cell in range(state.first.shape[1]):
        state.aside[0, cell] = state.first[output, cell]
        state.aside[1, cell] = state.second[output, cell]


@inlined
def _sweep(use_halves: bool, downhill: bool, group: Group, state: State, sub: Subproblem) -> int:
    """Solve every output in turn, `downhill` keeping only what lowers the energy; return how many are proven."""
    diversity = _diversity_energy(group, state)
    proven = 0
    for output in range(state.first.shape[0]):
        before = _output_energy(output, group, state) + diversity if downhill else 0.0
        _set_aside(output, state)
        proven += solve_output(output, use_halves, group, state, sub)
        if downhill and _has_changed(output, state):
            reached = _diversity_energy(group, state)
            if _output_energy(output, group, state) + reached < before:
                diversity = reached
            else:
                _put_back(output, state)
    return proven


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

    A sweep can raise the energy, because it replaces the diversity term by a modular bound of it; so the best labeling
    counts, where the authors return the last. Other than theirs the last of several sweeps keeps only what lowers the
    energy, and outputs exchange cells before and after it: three sweeps leave a few cells whose penalty is more than
    all that they could gain, and no step on one output can move them. `tally` grows by (subproblems proven optimal,
    subproblems).
    """
    recount(state)
    fill_rows(state.extra, 0.0)
    previous = group_energy(group, state)
    sweep, last = 0, group.sweeps - 1
    while sweep <= last:
        downhill = sweep == last and last > 0
        if downhill:
            exchange_shares(group, state)
            lowest = _keep_lower(group_energy(group, state), lowest, state, best)
        tally[0] += _sweep(sweep > 0, downhill, group, state, sub)
        tally[1] += state.first.shape[0]
        if downhill:
            exchange_shares(group, state)
        if group.resolve_duplicates and sweep == last - 1:
            separate_duplicates(state.counts, group.diversity, state.extra)
        reached = group_energy(group, state)
        lowest = _keep_lower(reached, lowest, state, best)
        converged = abs(previous - reached) < group.tolerance * abs(reached)
        previous = reached
        sweep = max(sweep + 1, last) if converged else sweep + 1
    return lowest
