"""Tiny modules, data and Trainers for the tests."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from lightning_comixup import CoMixup, CoMixupMixin

CLASSES = 5


def make_network() -> nn.Sequential:
    """Return a convolution, BatchNorm and a head for inputs (B, 1, 8, 8), with the same weights at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Tanh(), nn.Flatten(), nn.Linear(256, CLASSES)
        )


def make_data(size: int = 50) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(1)
    return torch.randn(size, 1, 8, 8, generator=draws), torch.randint(0, CLASSES, (size,), generator=draws)


def make_loader(size: int = 50, batch_size: int = 16) -> DataLoader[Any]:
    return DataLoader(TensorDataset(*make_data(size)), batch_size=batch_size)


def is_clean_pass(module: nn.Module) -> bool:
    """Return whether a step belongs to the clean pass, in which `log` is replaced on the instance."""
    return "log" in vars(module)


class Tiny(CoMixupMixin, pl.LightningModule):
    """A module that records the batches that reach its step, except in the clean pass."""

    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        self.network: Any = network or make_network()
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(inputs)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        inputs, targets = batch
        if not is_clean_pass(self):
            self.seen.append((inputs.detach().clone(), targets.detach().clone()))
        return self.comixup_loss(self(inputs), targets)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


class Plain(pl.LightningModule):
    """A user's module that does not use this package."""

    def __init__(self) -> None:
        super().__init__()
        self.network = make_network()
        self.targets_seen: list[Tensor] = []

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(inputs)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        if not is_clean_pass(self):
            self.targets_seen.append(batch[1])
        return F.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Listed(Dataset[Any]):
    """Samples with their targets. The data set keeps the given tensors without copying them."""

    def __init__(self, inputs: Tensor, targets: Tensor) -> None:
        self.inputs, self.targets = inputs, targets

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> Any:
        return self.inputs[index], self.targets[index]


class Items(Listed):
    """The data, with each sample in the container that `wrap` makes from (inputs, target)."""

    def __init__(self, wrap: Any, size: int = 20) -> None:
        super().__init__(*make_data(size))
        self.wrap = wrap

    def __getitem__(self, index: int) -> Any:
        return self.wrap(*super().__getitem__(index))


class ResumableLoader:
    """A loader that can resume a run within an epoch. It has an order that depends only on the epoch, and a state.

    The state says how many batches were returned. Lightning saves it in checkpoints and restores it.
    """

    def __init__(self, size: int = 50, batch_size: int = 10, workers: int = 0) -> None:
        self._data = TensorDataset(*make_data(size))
        self._batch_size, self._workers = batch_size, workers
        self._epoch = self._position = 0

    def __len__(self) -> int:
        return -(-len(self._data) // self._batch_size)

    def __iter__(self) -> Iterator[Any]:
        if self._position == len(self):  # a Trainer does not iterate past the last batch
            self._epoch, self._position = self._epoch + 1, 0
        order = torch.randperm(len(self._data), generator=torch.Generator().manual_seed(self._epoch))
        rest = [rows.tolist() for rows in order.split(self._batch_size)][self._position :]
        for batch in DataLoader(self._data, batch_sampler=rest, num_workers=self._workers):
            self._position += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._epoch, self._position = state["epoch"], state["position"]


def make_trainer(*callbacks: pl.Callback, root: Path | None = None, **settings: Any) -> pl.Trainer:
    defaults: dict[str, Any] = {
        "max_epochs": 2,
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": root,
    }
    return pl.Trainer(callbacks=list(callbacks), **(defaults | settings))


def fit(module: pl.LightningModule, *callbacks: pl.Callback, loader: Any = None, **settings: Any) -> pl.Trainer:
    trainer = make_trainer(*(callbacks or (CoMixup(seed=0),)), **settings)
    trainer.fit(module, make_loader() if loader is None else loader)
    return trainer


def replay(module: Tiny, seen: list[tuple[Tensor, Tensor]], epochs: int = 2, clean_weight: float = 1.0) -> Tiny:
    """Train a new copy by hand, in the authors' order, on the mixed batches that a run used."""
    module = copy.deepcopy(module)
    module.train()
    optimizer = module.configure_optimizers()
    clean_batches = [batch for _ in range(epochs) for batch in make_loader()]
    for (inputs, targets), (mixed_inputs, mixed_targets) in zip(clean_batches, seen, strict=True):
        optimizer.zero_grad()
        if clean_weight > 0:
            (module.comixup_clean_loss(inputs, targets) * clean_weight).backward()
        module.comixup_loss(module(mixed_inputs), mixed_targets).backward()
        optimizer.step()
    return module


def largest_difference(module: nn.Module, other: nn.Module) -> float:
    """Return the largest absolute difference over parameters and buffers."""
    pairs = zip(module.state_dict().values(), other.state_dict().values(), strict=True)
    return max(float((a.double() - b.double()).abs().max()) for a, b in pairs)
