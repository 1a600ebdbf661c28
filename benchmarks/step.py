"""A ResNet's training step against its floor, torchvision's MixUp and CutMix and, on a GPU, the authors' code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from torch import nn

from benchmarks.authors_step import AuthorsStep, load_mixup_process
from benchmarks.data import CLASSES, SIDE
from benchmarks.reference import Reference
from benchmarks.step_module import Floor, Lit, make_resnet
from benchmarks.timing import summary
from lightning_comixup import CoMixup


class _Clock(pl.Callback):
    """Times each step, including the other callbacks."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.seconds: list[float] = []

    def on_train_batch_start(self, *_: Any) -> None:
        self.start = self.now()

    def on_train_batch_end(self, *_: Any) -> None:
        self.seconds.append(self.now() - self.start)


def wall_clock() -> float:
    """Return the time in seconds, after a GPU has finished its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


class Training(NamedTuple):
    """A training to time, and how often to repeat it."""

    name: str
    make_network: Callable[[], nn.Module]
    side: int  # of the images
    batch: int
    precision: Any
    steps: int  # per turn; on a CPU, one takes seconds
    rounds: int  # turns of each variant
    warm_up: int  # untimed steps at the start of each turn, in which a GPU's libraries choose and load their kernels


class _Repeated:
    """A loader that repeats one batch of noise."""

    def __init__(self, training: Training, batches: int) -> None:
        draws = torch.Generator().manual_seed(0)
        images = torch.rand(training.batch, 3, training.side, training.side, generator=draws)
        self._batch = images, torch.randint(0, CLASSES, (training.batch,), generator=draws)
        self._batches = batches

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[Any]:
        for _ in range(self._batches):
            yield list(self._batch)


def trainings(accelerator: str) -> list[Training]:
    """Return the trainings for a kind of device."""
    if accelerator == "cpu":
        return [Training("ResNet-18, 32 × 32, batch 100", make_resnet, SIDE, 100, "32-true", 3, 3, 1)]
    found = [Training("ResNet-18, 32 × 32, batch 100", make_resnet, SIDE, 100, "32-true", 20, 3, 10)]
    if find_spec("torchvision") is not None:
        from torchvision.models import resnet50

        wide = partial(resnet50, num_classes=CLASSES)
        found.append(Training("ResNet-50, 224 × 224, batch 128, bfloat16", wide, 224, 128, "bf16-mixed", 12, 2, 6))
    return found


def step_rows(reference: Reference, accelerator: str = "cpu") -> list[dict[str, Any]]:
    """Train a few steps of each variant in turn, and compare the medians."""
    return [row for training in trainings(accelerator) for row in _rows_of(training, reference, accelerator)]


def _rows_of(training: Training, reference: Reference, accelerator: str) -> list[dict[str, Any]]:
    ways = _ways(training, reference, accelerator)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(training.rounds):
        for name, make in ways.items():
            seconds[name] += train(*make(), training, accelerator)
    found = {name: summary(values) for name, values in seconds.items()}
    floor, plain = found["floor: two passes"].median, found["plain"].median
    return [
        {"training": training.name, "way": name, "ms": 1e3 * took.median, "± ms": 1e3 * took.spread}
        | {"of plain": took.median / plain, "of floor": took.median / floor}
        for name, took in found.items()
    ]


def _ways(
    training: Training, reference: Reference, accelerator: str
) -> dict[str, Callable[[], tuple[Lit, list[pl.Callback]]]]:
    network = training.make_network
    ways: dict[str, Callable[[], tuple[Lit, list[pl.Callback]]]] = {
        "plain": lambda: (Lit(network()), []),
        "floor: two passes": lambda: (Floor(network()), []),
        "Co-Mixup": lambda: (Lit(network()), [CoMixup(seed=0)]),
        "Co-Mixup, clean_weight=0": lambda: (Lit(network()), [CoMixup(seed=0, clean_weight=0)]),
    }
    if find_spec("torchvision") is not None:
        from torchvision.transforms import v2

        for kind in (v2.MixUp, v2.CutMix):
            ways[f"torchvision {kind.__name__}"] = lambda kind=kind: (Lit(network(), kind(num_classes=CLASSES)), [])  # type: ignore[misc]
    if accelerator == "gpu" and reference.mix_input is not None:
        mixup_process = load_mixup_process()
        ways[f"{reference.name}, one process"] = lambda: (AuthorsStep(network(), mixup_process), [])
    return ways


def train(
    module: Lit,
    callbacks: list[pl.Callback],
    training: Training,
    accelerator: str,
    now: Callable[[], float] = wall_clock,
) -> list[float]:
    """Train a module and return the seconds of each step after the warm-up, as measured by the clock `now`."""
    clock = _Clock(now)
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator=accelerator,
        devices=1,
        precision=training.precision,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[clock, *callbacks],
    )
    trainer.fit(module, _Repeated(training, training.steps + training.warm_up))
    return clock.seconds[training.warm_up :]
