"""What an output pays for its share of one input: the diversity term taken apart, for choosing moves."""

from __future__ import annotations

import numpy as np

from lightning_comixup.solvers.compiler.jit import kernel, small
from lightning_comixup.solvers.group import Group, State

# Rows of `State.moves`: how much of an input others may use before an output pays; and the price of a share.
LIMIT, PRICE = 0, 1


@kernel
def set_limits(group: Group, state: State) -> None:
    """Set for each input its price γ A_ii, and how much of it other outputs may use before an output pays.

    A p > τ is read as A_ii p_i > τ - Σ_{k≠i} A_ik Σ_j c_jk: what an output itself uses of other inputs is left out, at
    the default ω a thousandth of little.
    """
    for label in range(group.inputs):
        own = group.spread[label, label]
        rest = state.load[0, label] - own * state.totals[0, label]
        # A_ii = 0 only for ω = 1, where no input hinders itself.
        state.moves[LIMIT, label] = (group.penalty_threshold - rest) / own if own > 0.0 else np.inf
        state.moves[PRICE, label] = group.diversity * own


@small
def share_cost(count: float, total: float, label: int, group: Group, state: State) -> float:
    """Return about what an output pays for `count` cells of an input of which all outputs use `total`."""
    others = total - count
    over = others - state.moves[LIMIT, label]
    paid = count * state.moves[PRICE, label] * (over if group.soft else others)
    return paid if over > 0.0 else 0.0
