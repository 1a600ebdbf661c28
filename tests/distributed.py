"""One of two processes that train all cases of `test_distributed.py`: `torchrun ... -m tests.distributed FOLDER`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, ModelParallelStrategy, Strategy
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.utils.data import DataLoader, Subset

from lightning_comixup import CoMixup, SoftTargetAccuracy
from tests.tiny import CLASSES, Listed, Tiny, make_data, make_trainer

RANKS = 2
EPOCHS = 2


@dataclass(frozen=True)
class Case:
    """One way to train."""

    strategy: str = "ddp"  # or "fsdp2", "tensor_parallel"
    settings: dict[str, Any] = field(default_factory=dict)  # for DDPStrategy
    accumulate: int = 1
    samples: int = 50  # dealt out to the two ranks in turn
    mixing: dict[str, Any] = field(default_factory=dict)  # for CoMixup

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32 if self.strategy == "fsdp1" else torch.float64  # Lightning's FSDP does not support float64

    @property
    def clean_weight(self) -> float:
        return float(self.mixing.get("clean_weight", 1.0))


_CASES = {
    "plain": Case(),
    "accumulating": Case(accumulate=2),
    "find_unused_parameters": Case(settings={"find_unused_parameters": True}),
    "static_graph": Case(settings={"static_graph": True}),
    "gradient_as_bucket_view": Case(settings={"gradient_as_bucket_view": True}, accumulate=2),
    "uneven last batches": Case(samples=47),  # 10, 10, 4 and 10, 10, 3
    "a last batch of one": Case(samples=43),  # 10, 10, 2 and 10, 10, 1
    "half of the batches": Case(mixing={"prob": 0.5}),
    "saliency alone": Case(mixing={"clean_weight": 0.0}),
    "half of the groups": Case(mixing={"mixed_share": 0.5, "partition_size": 5}),
    "half of the groups, saliency alone": Case(mixing={"mixed_share": 0.5, "partition_size": 5, "clean_weight": 0.0}),
    "fsdp2, half of the groups": Case("fsdp2", mixing={"mixed_share": 0.5, "partition_size": 5, "clean_weight": 0.0}),
    "fsdp2, saliency alone": Case("fsdp2", mixing={"clean_weight": 0.0}),
    "fsdp2": Case("fsdp2"),
    "fsdp2, weighted": Case("fsdp2", mixing={"clean_weight": 0.3}),
    "fsdp2, accumulating": Case("fsdp2", accumulate=2),
    "fsdp2, uneven last batches": Case("fsdp2", samples=47),
    "fsdp1, saliency alone": Case("fsdp1", mixing={"clean_weight": 0.0}),
    "tensor_parallel": Case("tensor_parallel"),
    "tensor_parallel, saliency alone": Case("tensor_parallel", mixing={"clean_weight": 0.0}),
}
_HAS_FSDP2 = hasattr(torch.distributed.fsdp, "fully_shard")  # public from PyTorch 2.6
CASES = {name: case for name, case in _CASES.items() if _HAS_FSDP2 or case.strategy != "fsdp2"}


def make_wide_network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, CLASSES))


class Distributed(Tiny):
    """Gives each rank its own samples."""

    def __init__(self, case: Case) -> None:
        super().__init__(make_wide_network().to(case.dtype))
        self.case = case
        self.accuracy = SoftTargetAccuracy()

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        with torch.no_grad():
            self.accuracy.update(self(batch[0]), batch[1])
        return super().training_step(batch, batch_idx)

    def batches(self, rank: int) -> DataLoader[Any]:
        inputs, targets = make_data(50)
        data = Listed(inputs.to(self.case.dtype), targets)
        ranks = 1 if self.case.strategy == "tensor_parallel" else RANKS  # both ranks share the samples
        return DataLoader(Subset(data, list(range(rank % ranks, self.case.samples, ranks))), batch_size=10)

    def train_dataloader(self) -> Any:
        return self.batches(self.global_rank)

    def configure_model(self) -> None:
        if self.case.strategy == "fsdp2":
            from torch.distributed.fsdp import fully_shard

            for part in (self.network[1], self.network[3], self.network):
                fully_shard(part, mesh=self.device_mesh["data_parallel"])  # type: ignore[index]
        if self.case.strategy == "tensor_parallel":
            from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

            plan = {"1": ColwiseParallel(), "3": RowwiseParallel()}
            parallelize_module(self.network, self.device_mesh["tensor_parallel"], plan)  # type: ignore[index]


class OnTheCpu(FSDPStrategy):
    """FSDP on the CPU. Lightning requires a GPU for FSDPStrategy itself, but not for subclasses."""

    def _setup_model(self, model: nn.Module) -> nn.Module:
        return FullyShardedDataParallel(model, device_id=torch.device("cpu"), use_orig_params=True)


def _strategy(case: Case) -> Strategy:
    if case.strategy == "fsdp1":
        return OnTheCpu(process_group_backend="gloo")
    if case.strategy == "ddp":
        return DDPStrategy(process_group_backend="gloo", **case.settings)
    sharded = case.strategy == "fsdp2"
    return ModelParallelStrategy(
        data_parallel_size=RANKS if sharded else 1,
        tensor_parallel_size=1 if sharded else RANKS,
        process_group_backend="gloo",
    )


def _whole(value: Tensor) -> Tensor:
    # DTensor is public from PyTorch 2.5.
    whole: Tensor = value.full_tensor() if hasattr(value, "full_tensor") else value
    return whole.detach().clone()


def _final_state(trainer: Any, module: nn.Module) -> dict[str, Tensor]:
    if isinstance(trainer.strategy, OnTheCpu):  # its parameters are flat outside this context
        with FullyShardedDataParallel.summon_full_params(trainer.model, writeback=False):
            return {name: value.detach().clone() for name, value in module.named_parameters()}
    return {name: _whole(value) for name, value in module.state_dict().items()}


class _KeepState(CoMixup):
    """Copies the parameters while they can still be gathered."""

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        super().on_train_end(trainer, pl_module)
        pl_module.final = _final_state(trainer, pl_module)
        # The metric counts mass in units of 2**-28.
        own = {"mass": pl_module.accuracy.mass * 2.0**-28, "samples": pl_module.accuracy.samples.clone()}
        pl_module.accuracies = {**own, "of_all_ranks": pl_module.accuracy.compute()}


def train(case: Case) -> dict[str, Any]:
    module = Distributed(case)
    trainer = make_trainer(
        _KeepState(seed=0, log=False, **case.mixing),
        strategy=_strategy(case),
        devices=RANKS,
        max_epochs=EPOCHS,
        accumulate_grad_batches=case.accumulate,
        use_distributed_sampler=False,
    )
    trainer.fit(module)
    return {"seen": module.seen, "state": module.final, "accuracies": module.accuracies}


def main() -> None:
    import os

    torch.set_num_threads(1)
    for index, case in enumerate(CASES.values()):
        torch.save(train(case), Path(sys.argv[1]) / f"case{index}_rank{os.environ['RANK']}.pt")
    # Both processes must end together. If one ends first, the other may abort on exit.
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
