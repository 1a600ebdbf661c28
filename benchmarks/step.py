"""A training step of a ResNet-18 (32 × 32, batch 100), against its floor and against torchvision's MixUp and CutMix."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.data import CLASSES, SIDE
from benchmarks.timing import summary
from lightning_comixup import CoMixup, CoMixupMixin

_BATCH = 100
_WIDTHS = ((64, 1), (128, 2), (256, 2), (512, 2))


class Block(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()),
            *(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)),
        )
        self.skip: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.skip = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        return F.relu(self.body(inputs) + self.skip(inputs))


def make_resnet() -> nn.Sequential:
    """Return a ResNet-18 for images of 32 × 32: a first convolution of 3 × 3 and no pooling after it."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    width = 64
    for outputs, stride in _WIDTHS:
        layers += [Block(width, outputs, stride), Block(outputs, outputs, 1)]
        width = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, CLASSES))


class Lit(CoMixupMixin, pl.LightningModule):
    """A ResNet-18; a transform may mix its batches within the timed step."""

    def __init__(self, transform: Callable[..., Any] | None = None) -> None:
        super().__init__()
        self.network = make_resnet()
        self.transform = transform

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(inputs)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        inputs, targets = batch if self.transform is None else self.transform(*batch)
        return self.comixup_loss(self(inputs), targets)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


class Floor(Lit):
    """Two forwards and two backwards in the hooks that the callback uses, and nothing else."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        self.kept = torch.autograd.grad(F.cross_entropy(self(batch[0]), batch[1]), list(self.parameters()))

    def on_before_backward(self, loss: Tensor) -> None:
        for parameter, gradient in zip(self.parameters(), self.kept, strict=True):
            parameter.grad = gradient


class _Clock(pl.Callback):
    """Times each step from before the callbacks to after them."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_start(self, *_: Any) -> None:
        self.start = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        self.seconds.append(time.perf_counter() - self.start)


def step_rows(steps: int = 3, rounds: int = 3) -> list[dict[str, Any]]:
    """Train a few steps each way in turn, and compare the medians."""
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
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, make in ways.items():
            seconds[name] += _train(*make(), steps)
    found = {name: summary(values) for name, values in seconds.items()}
    floor, plain = found["floor: two passes"].median, found["plain"].median
    return [
        {"way": name, "ms": 1e3 * took.median, "± ms": 1e3 * took.spread}
        | {"of plain": took.median / plain, "of floor": took.median / floor}
        for name, took in found.items()
    ]


def _train(module: Lit, callbacks: list[pl.Callback], steps: int) -> list[float]:
    draws = torch.Generator().manual_seed(0)
    images = torch.rand(_BATCH * (steps + 1), 3, SIDE, SIDE, generator=draws)
    targets = torch.randint(0, CLASSES, (len(images),), generator=draws)
    clock = _Clock()
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[clock, *callbacks],
    )
    trainer.fit(module, DataLoader(TensorDataset(images, targets), batch_size=_BATCH))
    return clock.seconds[1:]  # the first step warms up
