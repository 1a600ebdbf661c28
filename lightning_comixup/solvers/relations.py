"""How half labels relate to each other, to their inputs and to all other inputs.

Seven kinds of labels: the three inputs that an output may mix, their three half labels, and every other input. The
distances between kinds do not depend on which inputs those are, so what dead-end elimination asks is tabulated once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Kinds 0, 1, 2 are the inputs mixed; kind FIRST_HALF + h is the half label of the pair in column h.
PAIRS = ((0, 0, 1), (1, 2, 2))
FIRST_HALF = 3
OTHER = 6  # an input that no half label contains
KINDS = 7
HALF_TO_OTHER = 0.75  # ½‖z - z'‖² between a half label and an input that it does not contain


def _distances() -> NDArray[np.int64]:
    """Return ½‖z - z'‖² between kinds, in quarters; two different inputs where both are of kind OTHER."""
    vectors = np.zeros((KINDS, 4))
    vectors[[0, 1, 2, OTHER], [0, 1, 2, 3]] = 1.0
    for half, (first, second) in enumerate(zip(*PAIRS, strict=True)):
        vectors[FIRST_HALF + half, [first, second]] = 0.5
    squares = ((vectors[:, None] - vectors) ** 2).sum(2)
    quarters = np.rint(2 * squares).astype(np.int64)
    quarters[OTHER, OTHER] = 4
    return quarters


def _worst_gaps() -> NDArray[np.int8]:
    """Return max_l (distance(b, l) - distance(a, l)) in quarters as [a, b, kinds that l may be, as bits]."""
    distances = _distances()
    worst = np.zeros((KINDS, KINDS, 1 << KINDS), np.int8)
    for bits in range(1, 1 << KINDS):
        kinds = [kind for kind in range(KINDS) if bits >> kind & 1]
        gaps = distances[None, :, kinds] - distances[:, None, kinds]
        worst[:, :, bits] = gaps.max(2)
    return worst


# A rival of kind b costs at most so much more than a candidate of kind a along an edge. For a candidate that is itself
# OTHER it is a bound only where the neighbour cannot take that very input.
WORST_GAPS = _worst_gaps()
