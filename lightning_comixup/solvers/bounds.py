"""Closing the gap: messages are passed until the bound on every labeling is attained by one.

On these grids the bound nearly always rises to the minimum, which a labeling read off on the way attains: then that
labeling is optimal.
"""

from __future__ import annotations

import numpy as np

from lightning_comixup.solvers.compiler.jit import kernel, small
from lightning_comixup.solvers.compiler.lanes import any_above, load, same, store, where_above
from lightning_comixup.solvers.messages import Gap, pass_messages
from lightning_comixup.solvers.subproblem import BLOCKS, FAR, PLACE, TRIAL_PLACE, UNDECIDED, Subproblem

# A place is ruled out, or a labeling taken as the minimum, with this margin for rounding: relative to the cost, but at
# least absolute, which suits costs that are shares of one.
_MARGIN = 1e-12


@small
def _margin(gap: Gap) -> float:
    return _MARGIN * max(1.0, abs(gap.cost))


@small
def is_closed(gap: Gap) -> bool:
    """Whether the labeling is proven to be the cheapest."""
    return gap.cost - gap.bound <= _margin(gap)


@kernel
def list_blocks(first: int, places: int, sub: Subproblem) -> int:
    """List the blocks with undecided cells in work[BLOCKS], return their number; forget the labeling tried last."""
    active, nothing = 0, same(0.0)
    for index in range(sub.blocks.shape[0]):
        block = sub.blocks[index]
        store(sub.marks, FAR, block, nothing)
        for place in range(first, places):
            store(sub.taken, place, block, nothing)
        if any_above(load(sub.marks, UNDECIDED, block), nothing):
            sub.work[BLOCKS, active] = block
            active += 1
    return active


@small
def clear_messages(active: int, first: int, places: int, sub: Subproblem) -> None:
    """Clear all messages to the cells of the blocks in work[BLOCKS]."""
    for index in range(active):
        block = sub.work[BLOCKS, index]
        for direction in range(sub.link.shape[0]):
            for place in range(first, places):
                store(sub.message, direction * sub.own.shape[0] + place, block, same(0.0))


@small
def _keep_trial(active: int, sub: Subproblem) -> None:
    for index in range(active):
        block = sub.work[BLOCKS, index]
        kept, trial = load(sub.marks, PLACE, block), load(sub.marks, TRIAL_PLACE, block)
        store(sub.marks, PLACE, block, where_above(load(sub.marks, UNDECIDED, block), same(0.0), trial, kept))


@kernel
def close_gap(active: int, step: int, passes: int, gap: Gap, first: int, places: int, sub: Subproblem) -> Gap:
    """Pass messages until the labeling is proven to be the cheapest, or for some passes, the first being number `step`.

    The cheapest labeling found is left in marks[PLACE]. Places that were ruled out, which are in no optimal labeling,
    cost infinity afterwards. A gap not known yet is from minus infinity to infinity.
    """
    for index in range(step, step + passes):
        # Ruling out in the last pass serves the programme; before, it would gain too little. It takes a whole pass in
        # the other direction since cells were settled last, and the bound of the messages as they are: settling only
        # splits chains or joins their pieces, so that the bound never falls.
        slack = gap.cost - gap.bound + _margin(gap) if index == step + passes - 1 else np.inf
        reached = pass_messages(active, index % 2 == 1, slack, first, places, sub)
        if reached.cost < gap.cost:
            _keep_trial(active, sub)
        gap = Gap(min(gap.cost, reached.cost), max(gap.bound, reached.bound))
        if is_closed(gap):
            break
    return gap
