"""Compiled modules and submodules (the backend that needs no C++ compiler)."""

from __future__ import annotations

import copy

import pytest
import torch

from lightning_comixup import CoMixup
from tests.tiny import Tiny, fit, largest_difference, make_network, replay


@pytest.mark.parametrize("clean_weight", [1.0, 0.0])
@pytest.mark.parametrize("whole", [False, True], ids=["submodule", "module"])
def test_the_step_is_the_loops(whole: bool, clean_weight: float) -> None:
    network = make_network()
    module = Tiny(network)
    start = copy.deepcopy(module)
    if whole:
        fit(torch.compile(module, backend="aot_eager"), CoMixup(seed=0, clean_weight=clean_weight))  # type: ignore[arg-type]
    else:
        module.network = torch.compile(network, backend="aot_eager")
        fit(module, CoMixup(seed=0, clean_weight=clean_weight))
        module.network = network
    assert largest_difference(module, replay(start, module.seen, clean_weight=clean_weight)) < 1e-6
