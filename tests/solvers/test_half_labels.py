from __future__ import annotations

import numpy as np

from tests.solvers.brute_force import half_square_distances


def test_true_pairwise_costs() -> None:
    """What the description states; the solver is compared with this oracle in test_exact."""
    unit = np.eye(4)
    half = 0.5 * (unit[0] + unit[1])
    sharing = 0.5 * (unit[1] + unit[2])
    apart = 0.5 * (unit[2] + unit[3])
    table = half_square_distances(np.stack([unit[0], unit[2], half, sharing, apart]))
    assert table[2].tolist() == [0.25, 0.75, 0.0, 0.25, 0.5]
    assert table[0, 1] == 1
