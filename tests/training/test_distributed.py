"""Two processes (gloo), compared with one process that averages the gradients on their batches."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from lightning_comixup import CoMixup
from tests.distributed import CASES, EPOCHS, RANKS, Case, Distributed
from tests.tiny import largest_difference, make_data, make_trainer
from tests.training.metric_modules import Logging, Outputs, accuracy, assert_same

# A few sums are computed in a different order.
_LARGEST = {torch.float64: 1e-15, torch.float32: 1e-7}
_MINUTES = 10
_TAIL = 4000  # last characters of a failed run's messages

Ranks = list[dict[str, Any]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train all cases in two processes that torchrun starts once."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={RANKS}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [*command, "-m", "tests.distributed", str(folder)],
        cwd=Path(__file__).parents[1],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60 * _MINUTES,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-_TAIL:]
    return folder


def _replay(case: Case, ranks: Ranks) -> Distributed:
    """Train with the sum of clean and mixed gradients, averaged over the ranks."""
    module = Distributed(case)
    optimizer = module.configure_optimizers()
    clean = [list(module.batches(rank)) * EPOCHS for rank in range(RANKS)]
    optimizer.zero_grad()
    steps = len(clean[0])
    batches = steps // EPOCHS
    for step in range(steps):
        for rank in range(RANKS):
            mixed_inputs, mixed_targets = ranks[rank]["seen"][step]
            loss = module.comixup_loss(module(mixed_inputs), mixed_targets)
            if case.clean_weight > 0 and _is_mixed(mixed_targets):
                loss = loss + case.clean_weight * module.comixup_clean_loss(*clean[rank][step])
            (loss / RANKS / case.accumulate).backward()
        in_epoch = step % batches + 1
        if in_epoch % case.accumulate == 0 or in_epoch == batches:
            optimizer.step()
            optimizer.zero_grad()
    return module


def _is_mixed(targets: Tensor) -> bool:
    return targets.is_floating_point()


def _check_ranks(case: Case, ranks: Ranks) -> None:
    """Check that ranks have equal parameters and decisions, and equal masks only if they share their samples."""
    for name, value in ranks[0]["state"].items():
        assert torch.equal(value, ranks[1]["state"][name])
    targets = [[targets for _, targets in rank["seen"]] for rank in ranks]
    decisions = [[_is_mixed(batch) for batch in rank] for rank in targets]
    assert decisions[0] == decisions[1]
    assert any(decisions[0])
    # The mixed inputs differ because the samples differ, so compare the sorted targets.
    masses = [torch.cat([batch[:1].sort().values for batch in rank if _is_mixed(batch)]) for rank in targets]
    assert torch.equal(*masses) == (case.strategy == "tensor_parallel")


def _check(case: Case, ranks: Ranks) -> None:
    _check_ranks(case, ranks)
    module = Distributed(case)
    module.load_state_dict(ranks[0]["state"])
    assert largest_difference(module, _replay(case, ranks)) < _LARGEST[case.dtype]


def _load(folder: Path, name: str) -> Ranks:
    index = list(CASES).index(name)
    return [torch.load(folder / f"case{index}_rank{rank}.pt", weights_only=True) for rank in range(RANKS)]


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_two_processes_of_torchrun_equal_one(name: str, trained: Path) -> None:
    _check(CASES[name], _load(trained, name))


@pytest.mark.slow
def test_the_accuracy_is_over_the_samples_of_all_ranks(trained: Path) -> None:
    first, second = (rank["accuracies"] for rank in _load(trained, "uneven last batches"))
    expected = (first["mass"] + second["mass"]) / (first["samples"] + second["samples"])
    assert first["samples"] != second["samples"]
    assert float(first["of_all_ranks"]) == float(second["of_all_ranks"]) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.slow
def test_both_ranks_mix_the_same_half_of_the_batches(trained: Path) -> None:
    ranks = _load(trained, "half of the batches")
    mixed = [[_is_mixed(targets) for _, targets in rank["seen"]] for rank in ranks]
    assert mixed[0] == mixed[1]
    assert 0 < sum(mixed[0]) < len(mixed[0])


class _Saved(Distributed):
    """Saves the batches and the final state of each rank in a folder."""

    def __init__(self, case: Case, folder: Path) -> None:
        super().__init__(case)
        self.folder = folder

    def on_train_end(self) -> None:
        torch.save({"seen": self.seen, "state": self.state_dict()}, self.folder / f"rank{self.global_rank}.pt")


class Spawned(DDPStrategy):
    """Two spawned processes that destroy their process group before they exit.

    Lightning does this only for NCCL. A process that exits while gloo's threads run is sometimes aborted.
    """

    def __init__(self) -> None:
        super().__init__(process_group_backend="gloo", start_method="spawn")

    def setup_distributed(self) -> None:
        super().setup_distributed()
        atexit.register(dist.destroy_process_group)


@pytest.mark.slow
def test_two_spawned_processes_equal_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT"):  # of an earlier run in this process
        monkeypatch.delenv(name, raising=False)
    case = Case()
    trainer = make_trainer(
        CoMixup(seed=0, log=False),
        strategy=Spawned(),
        devices=RANKS,
        max_epochs=EPOCHS,
        use_distributed_sampler=False,
    )
    trainer.fit(_Saved(case, tmp_path))
    _check(case, [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(RANKS)])


class _OnTwoRanks(Logging):
    """Saves the outputs and logged values of each rank in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def train_dataloader(self) -> Any:
        inputs, targets = make_data(47)
        rank = self.global_rank
        return DataLoader(TensorDataset(inputs[rank::2], targets[rank::2]), batch_size=10)

    def on_train_end(self) -> None:
        notes = [[tuple(outputs) for outputs in notes] for notes in (self.clean, self.stepped)]
        logged = {name: value.clone() for name, value in self.trainer.callback_metrics.items()}
        torch.save({"notes": notes, "logged": logged}, self.folder / f"rank{self.global_rank}.pt")


@pytest.mark.slow
def test_the_metrics_of_two_ranks_are_those_of_all_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT"):  # of an earlier run in this process
        monkeypatch.delenv(name, raising=False)
    settings: dict[str, Any] = {"strategy": Spawned(), "devices": 2, "use_distributed_sampler": False}
    make_trainer(CoMixup(seed=0, log=False), max_epochs=1, **settings).fit(_OnTwoRanks(tmp_path))
    ranks = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2)]
    clean, mixed = ([Outputs(*o) for rank in ranks for o in rank["notes"][part]] for part in (0, 1))
    assert sum(len(outputs.logits) for outputs in clean) == 47
    for rank in ranks:
        for name in ("object_epoch", "updated", "g/acc"):
            assert_same(rank["logged"][name], accuracy(clean))
        torch.testing.assert_close(rank["logged"]["mean"], torch.stack([outputs.loss for outputs in mixed]).mean())
