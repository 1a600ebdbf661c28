"""Block-wise descent: sweeps over the outputs of one group, each solved with the others held."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.solvers.block import solve_output
from lightning_comixup.solvers.compiler.jit import inlined, kernel, small
from lightning_comixup.solvers.counts import count_all, count_output
from lightning_comixup.solvers.diversity import diversity_energy
from lightning_comixup.solvers.duplicates import separate_duplicates
from lightning_comixup.solvers.group import Group, State
from lightning_comixup.solvers.half_labels import half_square_distance
from lightning_comixup.solvers.loops import fill_rows
from lightning_comixup.solvers.repeats import UNSEEN, note_solved, notice_change
from lightning_comixup.solvers.settling import settle
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
def group_energy(group: Group, state: State) -> float:
    """Return the energy of the labeling: `lightning_comixup.energy.energy`, from labels instead of masks."""
    total = state.diversity[0]
    for output in range(state.first.shape[0]):
        total += _output_energy(output, group, state)
    return total


@small
def _keep_lower(reached: float, lowest: float, state: State) -> float:
    """Keep the labeling if its energy is below the lowest; return the lowest."""
    if reached < lowest:
        for output in range(state.first.shape[0]):
            for cell in range(state.first.shape[1]):
                state.best[0, output, cell] = state.first[output, cell]
                state.best[1, output, cell] = state.second[output, cell]
    return min(reached, lowest)


@small
def _has_changed(output: int, state: State) -> bool:
    """Whether an output differs from the labeling that was set aside."""
    for cell in range(state.first.shape[1]):
        if state.first[output, cell] != state.aside[0, cell] or state.second[output, cell] != state.aside[1, cell]:
            return True
    return False


@kernel
def _put_back(output: int, group: Group, state: State) -> None:
    """Give an output back the labeling that was set aside."""
    for cell in range(state.first.shape[1]):
        state.first[output, cell] = state.aside[0, cell]
        state.second[output, cell] = state.aside[1, cell]
    count_output(output, group, state)


@small
def _set_aside(output: int, state: State) -> None:
    for cell in range(state.first.shape[1]):
        state.aside[0, cell] = state.first[output, cell]
        state.aside[1, cell] = state.second[output, cell]


@small
def _separation_cost(output: int, group: Group, state: State) -> float:
    """Return what resolving duplicates charges an output for."""
    cost = 0.0
    for label in range(group.inputs):
        cost += state.extra[output, label] * state.counts[output, label]
    return cost


@kernel
def _keep_if_lower(output: int, before: float, group: Group, state: State) -> None:
    """Put an output back unless what it now holds lowers the energy."""
    if not _has_changed(output, state):
        return
    reached = diversity_energy(group, state)
    own = _output_energy(output, group, state) + _separation_cost(output, group, state)
    if own + reached < before:
        state.diversity[0] = reached
    else:
        _put_back(output, group, state)


@inlined
def _sweep(sweep: int, last: int, group: Group, state: State, sub: Subproblem, tally: NDArray[np.int64]) -> None:
    """Solve the outputs in turn, from the third sweep on where something changed; the last sweep goes only downhill."""
    downhill = sweep == last and last > 0
    for output in range(state.first.shape[0]):
        changed = notice_change(output, group, state)
        if sweep > 1 and not changed:
            continue
        before = 0.0
        if downhill:
            before = _output_energy(output, group, state) + state.diversity[0]
            before += _separation_cost(output, group, state)
            _set_aside(output, state)
        tally[0] += solve_output(output, sweep > 0, group, state, sub)
        tally[1] += 1
        if downhill:
            _keep_if_lower(output, before, group, state)
        else:
            note_solved(output, group, state)


@small
def _pays(output: int, group: Group, state: State) -> bool:
    """Whether an output holds an input that others use beyond the threshold."""
    for label in range(group.inputs):
        is_over = state.load[0, label] - state.spread[output, label] > group.penalty_threshold
        if is_over and state.counts[output, label] > 0.0:
            return True
    return False


@inlined
def _relieve(group: Group, state: State, sub: Subproblem, tally: NDArray[np.int64]) -> bool:
    """Solve the outputs that pay, whether or not that lowers the energy; False if none does."""
    solved = False
    for output in range(state.first.shape[0]):
        if _pays(output, group, state):
            tally[0] += solve_output(output, group.sweeps > 1, group, state, sub)
            tally[1] += 1
            solved = True
    return solved


@small
def start_from(start: int, starts: NDArray[np.integer[Any]], state: State) -> None:
    """Take one of the labelings to start from."""
    for output in range(starts.shape[1]):
        for cell in range(starts.shape[2]):
            label = starts[start, output, cell]
            state.first[output, cell], state.second[output, cell] = label, label


@inlined
def descend(group: Group, state: State, sub: Subproblem, lowest: float, tally: NDArray[np.int64]) -> float:
    """Sweep from the labeling in `state`; keep in `state.best` the labeling of the lowest energy, if below `lowest`.

    Other than the authors', the last of several sweeps keeps only what lowers the energy, and cells settle before and
    after it: their sweeps end with cells whose penalty is more than all that they could gain, which no step on one
    output can move. To settle after every sweep lowers the energy further at 4 x 4 cells, but outputs then are made of
    four inputs where the authors' are of two or three, and a network trained on them was less accurate.

    Where an output pays nevertheless, because no input has room for any one of its cells, the outputs that pay are
    solved again until that lowers the energy no further, at most as many times as there were sweeps. That is seldom,
    but on fine grids some labelings would end far above others.

    If outputs are alike before the last sweep, that labeling is not kept, and a cost tells them apart from there on.
    `tally` grows by (subproblems proven optimal, subproblems).
    """
    count_all(group, state)
    fill_rows(state.extra, 0.0)
    fill_rows(state.seen, UNSEEN)
    last, before = group.sweeps - 1, np.inf
    for sweep in range(2 * group.sweeps):
        if sweep <= last:
            _sweep(sweep, last, group, state, sub, tally)
        elif not _relieve(group, state, sub, tally):
            break
        if sweep >= last - 1:
            state.diversity[0] = diversity_energy(group, state)
            settle(group, state)
            alike = False
            if group.resolve_duplicates and sweep < last:
                alike = separate_duplicates(group, state)
            if not alike:
                reached = group_energy(group, state)
                lowest = _keep_lower(reached, lowest, state)
                if sweep > last and reached >= before:
                    break
                before = reached if sweep > last else np.inf
    return lowest
