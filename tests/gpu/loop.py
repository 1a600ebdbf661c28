"""The hand-written loop on a GPU, and the Trainer run that it is compared with."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from lightning_comixup import CoMixup
from tests.tiny import Tiny, fit, make_data

DEVICE = torch.device("cuda")
_DTYPES = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def fit_on_gpu(module: pl.LightningModule, *callbacks: pl.Callback, **settings: Any) -> pl.Trainer:
    """Train on the GPU with pinned batches."""
    loader = DataLoader(TensorDataset(*make_data()), batch_size=16, pin_memory=True)
    defaults: dict[str, Any] = {"accelerator": "gpu", "devices": 1}
    return fit(module, *(callbacks or (CoMixup(seed=0),)), loader=loader, **(defaults | settings))


def batches_on_gpu(epochs: int = 2) -> Iterator[list[Tensor]]:
    for _ in range(epochs):
        for batch in DataLoader(TensorDataset(*make_data()), batch_size=16):
            yield [part.to(DEVICE) for part in batch]


def replay_on_gpu(
    module: Tiny,
    seen: list[tuple[Tensor, Tensor]],
    clean_weight: float = 1.0,
    precision: str = "32-true",
    scaler: torch.amp.GradScaler | None = None,
) -> Tiny:
    """Train a new copy by hand, in the authors' order, on the mixed batches that a run used."""
    module = copy.deepcopy(module).to(DEVICE, torch.float64 if precision == "64-true" else None)
    module.train()
    optimizer = module.configure_optimizers()
    own = torch.amp.GradScaler("cuda", enabled=False) if scaler is None else scaler
    dtype = next(module.parameters()).dtype

    def autocast() -> Any:
        return torch.autocast("cuda", _DTYPES[precision]) if precision in _DTYPES else nullcontext()

    for (inputs, targets), (mixed, soft) in zip(batches_on_gpu(), seen, strict=True):
        optimizer.zero_grad()
        if clean_weight > 0:
            with autocast():
                loss = module.comixup_clean_loss(inputs.to(dtype), targets)
            own.scale(loss * clean_weight).backward()
        with autocast():
            loss = module.comixup_loss(module(mixed), soft)
        own.scale(loss).backward()
        own.step(optimizer)
        own.update()
    return module
