"""Which outputs need not be solved again, because nothing that matters to them has changed."""

from __future__ import annotations

from lightning_comixup.solvers.group import Group, State
from lightning_comixup.solvers.jit import kernel

# Marks an output in `State.seen` that was not solved yet.
UNSEEN = -1.0


@kernel
def is_repeated(output: int, group: Group, state: State) -> bool:
    """Note what matters to an output: the inputs open to it, and what it holds; whether that is as it was last solved.

    With a hard threshold an input that the others use too much is out of the question; how much too much matters only
    through the distances in A, a thousandth (ω) of it.
    """
    width = state.counts.shape[1]
    same = not group.soft
    for label in range(group.inputs):
        same = same and state.extra[output, label] == 0.0
        is_open = 1.0 if state.load[0, label] - state.spread[output, label] <= group.penalty_threshold else 0.0
        same = same and state.seen[output, label] == is_open
        same = same and state.seen[output, width + label] == state.counts[output, label]
        state.seen[output, label] = is_open
    return same


@kernel
def note_solved(output: int, group: Group, state: State) -> None:
    """Note what an output holds after it was solved."""
    width = state.counts.shape[1]
    for label in range(group.inputs):
        state.seen[output, width + label] = state.counts[output, label]
