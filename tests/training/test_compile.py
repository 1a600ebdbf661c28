"""Compiled modules and submodules, with a backend that does not need a C++ compiler."""

from __future__ import annotations

import copy
from typing import Any

import lightning.pytorch as pl
import pytest
import torch

from lightning_comixup import CoMixup
from tests.tiny import Tiny, fit, largest_difference, make_loader, make_network, replay


class Plain(pl.LightningModule):
    """Has no state that a compiled step would depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.network = make_network()

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(self.network(batch[0]), batch[1])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("clean_weight", [1.0, 0.0])
@pytest.mark.parametrize("whole", [False, True], ids=["submodule", "module"])
def test_the_step_matches_the_loop(whole: bool, clean_weight: float) -> None:
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


@pytest.mark.skipif(not hasattr(torch.compiler, "set_stance"), reason="before PyTorch 2.6 give num_classes")
def test_clean_and_mixed_steps_are_each_compiled_once() -> None:
    compiled: list[int] = []

    def backend(graph: Any, inputs: Any) -> Any:
        compiled.append(len(inputs))
        return graph.forward

    def train(epochs: int) -> int:
        compiled.clear()
        torch.compiler.reset()
        module: Any = torch.compile(Plain(), backend=backend)
        fit(module, CoMixup(seed=0), loader=make_loader(48), max_epochs=epochs)
        return len(compiled)

    once = train(2)
    assert once > 0
    assert train(5) == once
