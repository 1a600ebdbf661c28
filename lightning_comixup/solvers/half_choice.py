"""Which half labels an output is offered: pairs of the inputs that it uses most."""

from __future__ import annotations

from lightning_comixup.solvers.compiler.jit import kernel, small
from lightning_comixup.solvers.group import State
from lightning_comixup.solvers.half_labels import HALF_INPUTS, MOST_HALVES


@small
def _list_most_used(output: int, state: State) -> int:
    """List in `State.used` the inputs that an output uses most, at most MOST_HALVES; return their number.

    Of inputs used alike the one of lower index counts as more used (the authors leave it to `torch.topk`).
    """
    size = 0
    for label in range(state.counts.shape[1]):
        count = state.counts[output, label]
        if count > 0.0:
            place = size
            while place > 0 and state.counts[output, state.used[place - 1]] < count:
                place -= 1
            if place < MOST_HALVES:
                size = min(size + 1, MOST_HALVES)
                for behind in range(size - 1, place, -1):
                    state.used[behind] = state.used[behind - 1]
                state.used[place] = label
    return size


@kernel
def choose_halves(output: int, state: State) -> int:
    """Choose an output's pairs: of the two inputs in use, or of the three most used; return their number.

    `State.used` then lists these inputs, `State.halves` has in its last columns the pairs.
    """
    size = _list_most_used(output, state)
    halves = size * (size - 1) // 2
    for half in range(MOST_HALVES - halves, MOST_HALVES):
        first, second = state.used[HALF_INPUTS[half][0]], state.used[HALF_INPUTS[half][1]]
        state.halves[0, half], state.halves[1, half] = min(first, second), max(first, second)
    return halves
