"""A training step of a ResNet-18 (32 × 32, batch 100), against its floor and against torchvision's MixUp and CutMix."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.authors_step import AuthorsStep, load_mixup_process
from benchmarks.data import CLASSES, SIDE
from benchmarks.reference import Reference
from benchmarks.step_module import Lit
from benchmarks.timing import summary
from lightning_comixup import CoMixup

_BATCH = 100


class Floor(Lit):
    """Two forwards and two backwards in the hooks that the callback uses, and nothing else."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self.kept = torch.autograd.grad(F.cross_entropy(self(batch[0]), batch[1]), list(self.parameters()))

    def on_before_backward(self, loss: Tensor) -> None:
        for parameter, gradient in zip(self.parameters(), self.kept, strict=True):
            parameter.grad = gradient


class _Clock(pl.Callback):
    """Times each step from before the callbacks to after them; on a GPU until its work is done."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_start(self, *_: Any) -> None:
        self.start = _now()

    def on_train_batch_end(self, *_: Any) -> None:
        self.seconds.append(_now() - self.start)


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


# Steps in a row of each way, and how often it has its turn: on a CPU a step takes seconds.
_REPETITIONS = {"cpu": (3, 3), "gpu": (20, 3)}
# The first steps of each turn warm up: a GPU's libraries choose and load their kernels.
_WARM_UP = {"cpu": 1, "gpu": 10}


def step_rows(reference: Reference, accelerator: str = "cpu") -> list[dict[str, Any]]:
    """Train a few steps each way in turn, and compare the medians."""
    ways = _ways(reference, accelerator)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_REPETITIONS[accelerator][1]):
        for name, make in ways.items():
            seconds[name] += _train(*make(), accelerator)
    found = {name: summary(values) for name, values in seconds.items()}
    floor, plain = found["floor: two passes"].median, found["plain"].median
    return [
        {"way": name, "ms": 1e3 * took.median, "± ms": 1e3 * took.spread}
        | {"of plain": took.median / plain, "of floor": took.median / floor}
        for name, took in found.items()
    ]


def _ways(reference: Reference, accelerator: str) -> dict[str, Callable[[], tuple[Lit, list[pl.Callback]]]]:
    ways: dict[str, Callable[[], tuple[Lit, list[pl.Callback]]]] = {
        "plain": lambda: (Lit(), []),
        "floor: two passes": lambda: (Floor(), []),
        "Co-Mixup": lambda: (Lit(), [CoMixup(seed=0)]),
        "Co-Mixup, clean_weight=0": lambda: (Lit(), [CoMixup(seed=0, clean_weight=0)]),
    }
    if find_spec("torchvision") is not None:
        from torchvision.transforms import v2

        for kind in (v2.MixUp, v2.CutMix):
            ways[f"torchvision {kind.__name__}"] = lambda kind=kind: (Lit(kind(num_classes=CLASSES)), [])  # type: ignore[misc]
    if accelerator == "gpu" and reference.mix_input is not None:
        mixup_process = load_mixup_process()
        ways[reference.name] = lambda: (AuthorsStep(mixup_process), [])
    return ways


def _train(module: Lit, callbacks: list[pl.Callback], accelerator: str) -> list[float]:
    steps, warm_up = _REPETITIONS[accelerator][0], _WARM_UP[accelerator]
    draws = torch.Generator().manual_seed(0)
    images = torch.rand(_BATCH * (steps + warm_up), 3, SIDE, SIDE, generator=draws)
    targets = torch.randint(0, CLASSES, (len(images),), generator=draws)
    clock = _Clock()
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator=accelerator,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[clock, *callbacks],
    )
    trainer.fit(module, DataLoader(TensorDataset(images, targets), batch_size=_BATCH))
    return clock.seconds[warm_up:]
