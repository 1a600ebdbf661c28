"""The counts of a labeling: how many cells each output takes from each input."""

from __future__ import annotations

from lightning_comixup.solvers.compiler.jit import kernel, small
from lightning_comixup.solvers.diversity import spread_output
from lightning_comixup.solvers.group import Group, State
from lightning_comixup.solvers.loops import fill_rows


@small
def count_cell(output: int, cell: int, cells: float, state: State) -> None:
    """Add to the counts what a cell of an output uses, times `cells`."""
    first, second = state.first[output, cell], state.second[output, cell]
    state.counts[output, first] += 0.5 * cells
    state.counts[output, second] += 0.5 * cells
    state.totals[0, first] += 0.5 * cells
    state.totals[0, second] += 0.5 * cells


@kernel
def count_output(output: int, group: Group, state: State) -> None:
    """Set the counts of an output anew, and what follows from them."""
    for label in range(group.inputs):
        state.totals[0, label] -= state.counts[output, label]
        state.counts[output, label] = 0.0
    for cell in range(state.first.shape[1]):
        count_cell(output, cell, 1.0, state)
    spread_output(output, group, state)


@kernel
def count_all(group: Group, state: State) -> None:
    """Set all counts anew, and what follows from them."""
    for rows in (state.counts, state.totals, state.spread, state.load):
        fill_rows(rows, 0.0)
    for output in range(state.first.shape[0]):
        count_output(output, group, state)
