"""Two processes (gloo) against one that averages their gradients, on the batches that they saw."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from lightning_comixup import CoMixup
from tests.tiny import CLASSES, Listed, Tiny, largest_difference, make_data, make_trainer

_RANKS = 2


class Distributed(Tiny):
    """Gives each rank its own samples, and notes what each rank saw."""

    def __init__(self, folder: Path, accumulate: int) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, CLASSES)).double()
        super().__init__(network)
        self.folder = folder
        self.accumulate = accumulate

    def batches(self, rank: int) -> DataLoader[Any]:
        inputs, targets = make_data(50)
        samples = range(rank, 50, _RANKS)  # 25 each, in batches of 10, 10 and 5
        return DataLoader(Subset(Listed(inputs.double(), targets), list(samples)), batch_size=10)

    def train_dataloader(self) -> Any:
        return self.batches(self.global_rank)

    def on_train_end(self) -> None:
        torch.save({"seen": self.seen, "state": self.state_dict()}, self.folder / f"rank{self.global_rank}.pt")


def _replay(module: Distributed, seen: list[list[tuple[Tensor, Tensor]]]) -> nn.Module:
    """Step on the mean over the ranks of the sums of clean and mixed gradients."""
    optimizer = module.configure_optimizers()
    clean = [list(module.batches(rank)) for rank in range(_RANKS)]
    optimizer.zero_grad()
    steps = len(clean[0])
    for step in range(steps):
        for rank in range(_RANKS):
            inputs, targets = clean[rank][step]
            loss = module.comixup_clean_loss(inputs, targets)
            loss = loss + module.comixup_loss(module(seen[rank][step][0]), seen[rank][step][1])
            (loss / _RANKS / module.accumulate).backward()
        if (step + 1) % module.accumulate == 0 or step + 1 == steps:
            optimizer.step()
            optimizer.zero_grad()
    return module


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "accumulate"),
    [
        ({}, 1),
        ({}, 2),
        ({"find_unused_parameters": True}, 1),
        ({"static_graph": True}, 1),
        ({"gradient_as_bucket_view": True}, 2),
    ],
    ids=["plain", "accumulating", "find_unused_parameters", "static_graph", "gradient_as_bucket_view"],
)
def test_two_processes_are_one(
    settings: dict[str, Any], accumulate: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT"):  # of an earlier run in this process
        monkeypatch.delenv(name, raising=False)
    module = Distributed(tmp_path, accumulate)
    start = copy.deepcopy(module)
    strategy = DDPStrategy(process_group_backend="gloo", start_method="spawn", **settings)
    trainer = make_trainer(
        CoMixup(seed=0, log=False),
        strategy=strategy,
        devices=_RANKS,
        max_epochs=1,
        accumulate_grad_batches=accumulate,
        use_distributed_sampler=False,
    )
    trainer.fit(module)
    ranks = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(_RANKS)]
    for name, value in ranks[0]["state"].items():
        assert torch.equal(value, ranks[1]["state"][name])
    module.load_state_dict(ranks[0]["state"])
    assert largest_difference(module, _replay(start, [rank["seen"] for rank in ranks])) < 1e-15
    weights = [torch.cat([targets for _, targets in rank["seen"]]) for rank in ranks]
    assert all((weight.ndim == 2) for weight in weights)
    assert not torch.equal(*weights)
