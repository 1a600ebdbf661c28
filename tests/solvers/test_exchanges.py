"""What an exchange is said to change, against the energy before and after. Not compiled, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import sys
import numpy as np
from lightning_comixup.grid import lattice
from lightning_comixup.solvers import exchanges
from lightning_comixup.solvers.descent import group_energy
from lightning_comixup.solvers.group import Group, new_state, recount

soft = sys.argv[1] == "soft"
draws = np.random.default_rng(0)
largest, helped, gained = 0.0, 0, []
for grid in ((4, 4), (5,), (2, 3, 2)):
    cells, inputs = int(np.prod(grid)), 6
    unary = draws.random((cells, inputs))
    group = Group(unary, np.eye(inputs), *lattice(grid), 0.02, 0.1, 0.83 * cells, soft, 4, False, 1e-6, 1024)
    state = new_state(group, inputs)
    pair = np.sort(draws.integers(0, inputs, (2, inputs, cells)), axis=0)
    halves = draws.random((inputs, cells)) < 0.3
    state.first[:], state.second[:] = pair[0], np.where(halves, pair[1], pair[0])
    recount(state)
    for _ in range(40):
        output, other = draws.choice(inputs, 2, replace=False)
        source, label = draws.choice([output, other]), draws.integers(inputs)
        if not exchanges._mark_cells(output, other, source, label, state):
            continue
        before = group_energy(group, state)
        said = exchanges._smoothness_change(output, other, group, state)
        said += exchanges._diversity_change(output, other, group, state)
        exchanges._exchange(output, other, state)
        counts = state.counts.copy()
        recount(state)
        assert (counts == state.counts).all()
        largest = max(largest, abs(group_energy(group, state) - before - said))
        helped += 1
    before = group_energy(group, state)
    exchanges.exchange_shares(group, state)
    gained.append(before - group_energy(group, state))
assert helped > 50, helped
assert largest < 1e-12, largest
assert min(gained) >= 0 and max(gained) > 0.1, gained
"""


@pytest.mark.parametrize("thresholding", ["hard", "soft"])
def test_changes_are_those_of_the_energy(thresholding: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", _SCRIPT, thresholding],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
