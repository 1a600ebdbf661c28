"""Train one network in one way."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, TensorDataset

from examples.study_parts.data import Images
from examples.study_parts.methods import METHODS
from examples.study_parts.module import Student
from examples.study_parts.names import CPU, SMALL
from examples.study_parts.recipes import RECIPES, Rates

_TEST_BATCH = 500  # heuristic
_CHOICES = 20  # heuristic: states during a training from which the best is chosen


class Way(NamedTuple):
    """How a network is trained, apart from the method and the seed."""

    part: str
    steps: int
    network: str = SMALL
    accelerator: str = CPU  # Lightning's name
    rates: Rates | None = None  # None means those of the recipe


class Trained(NamedTuple):
    """A trained module, and the seconds of training after the first steps: processor time, or real time on a GPU."""

    module: Student
    seconds: float


class Batches(Sampler[list[int]]):
    """Indices of batches. Each epoch has the images in a new order and leaves out an incomplete last batch."""

    def __init__(self, images: int, batch_size: int, steps: int, seed: int) -> None:
        """Set the sizes, with `steps` batches in all."""
        self.images, self.size, self.steps, self.seed = images, min(batch_size, images), steps, seed

    def __len__(self) -> int:
        """Return the number of batches."""
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the same batches every time."""
        draws = torch.Generator().manual_seed(self.seed)
        per_epoch = self.images // self.size
        for step in range(self.steps):
            if step % per_epoch == 0:
                order = torch.randperm(self.images, generator=draws).tolist()
            start = step % per_epoch * self.size
            yield order[start : start + self.size]


class _Clock(L.Callback):
    """Measures the time of all steps except the first ones."""

    def __init__(self, skipped: int) -> None:
        self.skipped, self.start, self.seconds = skipped, 0.0, 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.start = _now(pl_module)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx + 1 == self.skipped:
            self.start = _now(pl_module)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.seconds = _now(pl_module) - self.start


def _now(module: L.LightningModule) -> float:
    """Return processor time, which other programs hardly affect, or real time after a GPU has finished its work."""
    if module.device.type == CPU:
        return time.process_time()
    torch.cuda.synchronize(module.device)
    return time.perf_counter()


class _BestState(L.Callback):
    """Keeps the state with the highest validation accuracy, the last one of equals, and restores it at the end."""

    def __init__(self, validation: Images, steps: int) -> None:
        self.validation, self.every = validation, max(1, steps // _CHOICES)
        self.accuracy, self.state = -1.0, dict[str, Any]()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % self.every == 0:
            hits = predict(pl_module, self.validation.pixels).argmax(1) == self.validation.labels
            accuracy = float(hits.double().mean())
            if accuracy >= self.accuracy:
                self.accuracy, self.state = accuracy, copy.deepcopy(pl_module.state_dict())

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        pl_module.load_state_dict(self.state)


@torch.no_grad()
def predict(module: L.LightningModule, images: Tensor) -> Tensor:
    """Return the logits of images, computed in evaluation mode, on the CPU. The module's mode is restored."""
    was_training = module.training
    module.eval()
    logits = torch.cat([module(chunk.to(module.device)).cpu() for chunk in images.split(_TEST_BATCH)])
    module.train(was_training)
    return logits


def train(train_images: Images, validation: Images, way: Way, method_name: str, seed: int, skipped: int = 0) -> Trained:
    """Train a network.

    Runs with the same seed share initial weights, the order of the images and their augmentation, whatever the method.

    Args:
        train_images: Training images.
        validation: Validation images, for a method that chooses the best state.
        way: How to train.
        method_name: A name in `METHODS`.
        seed: Seed of all draws.
        skipped: Number of first steps that are not timed.
    """
    recipe, method, clock = RECIPES[way.part], METHODS[method_name], _Clock(skipped)
    rates = way.rates or (recipe.tuned if method.is_tuned else None) or recipe.rates
    module = Student(way.network, recipe, method, seed, rates)
    batches = Batches(len(train_images.labels), recipe.batch_size, way.steps, seed)
    choosing = [_BestState(validation, way.steps)] if method.keeps_best else []
    trainer = _make_trainer([*method.callbacks(seed), *choosing, clock], way.accelerator)
    trainer.fit(module, DataLoader(TensorDataset(*train_images), sampler=batches, batch_size=None))
    module.to(trainer.strategy.root_device)  # Lightning leaves it on the CPU
    return Trained(module, clock.seconds)


def _make_trainer(callbacks: list[L.Callback], accelerator: str) -> L.Trainer:
    return L.Trainer(
        max_epochs=1,  # an epoch has as many batches as the training has steps
        callbacks=callbacks,
        accelerator=accelerator,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
