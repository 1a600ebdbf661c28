"""First use of the solver in ranks and in a loader's workers, for `test_startup`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lightning_comixup import CoMixup, comixup_batch
from tests.tiny import Tiny, fit, make_data, make_loader


def make_masks() -> Tensor:
    inputs, targets = make_data(20)
    mixed = comixup_batch(inputs, targets, inputs.abs().mean(1), num_classes=5, generator=0)
    return torch.from_numpy(mixed.masks[0])


class _Masks(Dataset[Any]):
    """Calls the solver once in each of the loader's two workers."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Tensor:
        return make_masks()


def _of_workers(context: str) -> Tensor:
    return torch.cat(list(DataLoader(_Masks(), batch_size=1, num_workers=2, multiprocessing_context=context)))


def _train_in_two_ranks() -> Tensor:
    strategy = DDPStrategy(process_group_backend="gloo")
    fit(Tiny(), CoMixup(seed=0), loader=make_loader(16), strategy=strategy, devices=2, max_epochs=1)
    masks = make_masks()[None]
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    return masks


def main(case: str, folder: Path) -> None:
    torch.set_num_threads(1)
    rank = os.environ.get("RANK", "0")
    if case == "ranks":
        masks = _train_in_two_ranks()
    elif case == "workers":
        masks = torch.cat([_of_workers("fork"), _of_workers("spawn")])
    else:  # in this process and in its forks
        masks = torch.cat([make_masks()[None], _of_workers("fork")])
    torch.save(masks, folder / f"{case}{rank}.pt")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
