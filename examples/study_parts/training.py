"""Training one network one way, and testing it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import lightning as L
import torch
from torch.utils.data import DataLoader

from examples.study_parts.data import DEBIAN_FOLDER, Split, split_digits, split_fashion
from examples.study_parts.methods import METHODS
from examples.study_parts.module import Student
from examples.study_parts.recipes import RECIPES

_TEST_BATCH = 500  # heuristic


class Measures(NamedTuple):
    """What is measured on the test images, as shares; the log-loss in nats."""

    accuracy: float
    calibration_error: float
    nll: float


class Trained(NamedTuple):
    """A trained module, what was measured of it and the processor's seconds of each epoch."""

    module: Student
    measures: Measures
    epoch_seconds: list[float]


class _Clock(L.Callback):
    """Takes the time of each epoch: the processor's, which other programs lengthen little."""

    def __init__(self) -> None:
        """Have no times yet."""
        self.start = 0.0
        self.seconds: list[float] = []

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        self.start = time.process_time()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop the clock."""
        self.seconds.append(time.process_time() - self.start)


def split(part: str, labels: int, seed: int, folder: Path = DEBIAN_FOLDER) -> Split:
    """Draw the images of a run; `folder` has the files of Fashion-MNIST."""
    return split_digits(labels, seed) if part == "digits" else split_fashion(folder, labels, seed)


def train(images: Split, part: str, method: str, seed: int, epochs: int) -> Trained:
    """Train a network and test it.

    Runs of one seed that differ in the method share initial weights, the order of the images and their augmentation.

    Args:
        images: To train on and to test on.
        part: Name of the data set, for its recipe.
        method: A name in `METHODS`.
        seed: Of all draws.
        epochs: Epochs, over which the learning rate runs through its cycle.
    """
    recipe, clock = RECIPES[part], _Clock()
    module = Student(recipe, METHODS[method], seed)
    order = torch.Generator().manual_seed(seed)
    trainer = L.Trainer(
        max_epochs=epochs,
        callbacks=[*METHODS[method].callbacks(seed), clock],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(images.train, recipe.batch_size, shuffle=True, generator=order))
    (metrics,) = trainer.test(module, DataLoader(images.test, _TEST_BATCH), verbose=False)
    return Trained(module, Measures(**metrics), clock.seconds)
