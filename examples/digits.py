"""Handwritten digits with and without Co-Mixup: trains a small network both ways, prints a table, draws a picture.

Run `python examples/digits.py` (extra `examples`), or add `--help` for the options. Each seed draws its own training
images; the two runs of a seed share everything but the callback: images, their order, initial weights, epochs.

A share of the training labels is wrong: mixing keeps a network from learning those by heart, and from being sure of
anything, which the calibration error counts. With right labels the digits are too easy to gain from mixing.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torch.utils.data import TensorDataset as Images
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError

from lightning_comixup import CoMixup, CoMixupMixin, comixup_batch, compute_saliency, plot_mixed_batch

IMAGES, CLASSES = 1797, 10
BRIGHTEST = 16.0  # of the data set's grey levels
SIDE = 16  # the 8 x 8 images are enlarged, so that a cell of Co-Mixup's 4 x 4 grid has 4 x 4 pixels
WIDTH = 16  # channels after the first convolution
BATCH_SIZE = 50
LEARNING_RATE = 0.01
BINS = 15  # of the calibration error
FEWEST_IMAGES = 2 * CLASSES  # on either side of the split
SETTINGS = ("none", "Co-Mixup")

PICTURE_BATCH = 20  # images that are mixed jointly for the picture: one group of the default size
DOTS_PER_INCH = 110


class Classifier(CoMixupMixin, L.LightningModule):
    """A small convolutional network with batch normalisation."""

    def __init__(self) -> None:
        """Build the network."""
        super().__init__()
        widths = (1, WIDTH, 2 * WIDTH, 4 * WIDTH)
        blocks: list[nn.Module] = []
        for before, after in pairwise(widths):
            convolution = nn.Conv2d(before, after, kernel_size=3, padding=1, bias=False)
            blocks += [convolution, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        head = nn.Linear(widths[-1], CLASSES)
        self.network = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
        accuracy = MulticlassAccuracy(CLASSES, average="micro")
        calibration_error = MulticlassCalibrationError(CLASSES, n_bins=BINS)
        self.test_metrics = MetricCollection({"accuracy": accuracy, "calibration error": calibration_error})

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        return self.network(images)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch, mixed or not."""
        images, targets = batch
        return self.comixup_loss(self(images), targets)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Measure on a batch."""
        images, labels = batch
        self.test_metrics.update(self(images).softmax(1), labels)
        self.log_dict(self.test_metrics)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW with one cycle of the learning rate, which ends near 0: both settings converge."""
        optimizer = torch.optim.AdamW(self.parameters())
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Clock(L.Callback):
    """Takes the time of each epoch and moves the bar over all runs."""

    def __init__(self, progress: Progress, task: TaskID, name: str) -> None:
        """Say on the bar which run begins."""
        self.progress, self.task, self.name = progress, task, name
        self.start = 0.0
        self.seconds: list[float] = []
        progress.update(task, description=f"{name}: preparing")  # the solver is compiled on its first use

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        self.progress.update(self.task, description=self.name)
        self.start = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop the clock."""
        self.seconds.append(time.perf_counter() - self.start)
        self.progress.advance(self.task)


class Run(NamedTuple):
    """A trained network, its test images and what was measured."""

    network: Classifier
    test: Images
    accuracy: float
    calibration_error: float
    epoch_seconds: list[float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train all runs, print the table and draw the picture."""
    options = parse(arguments)
    prepare_process()
    console = Console()
    runs = train_all(options, console)
    console.print(results_table(runs))
    last = runs["Co-Mixup"][-1]
    images, labels = last.test[:PICTURE_BATCH]  # their labels are right
    draw_picture(last.network, images, labels, options.picture)
    trained = (
        f"Trained on {options.train_images} images, {options.wrong_labels:.0%} of their labels replaced by random ones"
    )
    trained += f", tested on the other {IMAGES - options.train_images}"
    summary = f"{trained}; epochs: {options.epochs}, seeds: {options.seeds}. Picture: {options.picture}"
    console.print(summary, highlight=False, markup=False, soft_wrap=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(
        description="Train on handwritten digits with and without Co-Mixup; print a table and draw a picture.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    images = whole_number(FEWEST_IMAGES, IMAGES - FEWEST_IMAGES)
    images_help = f"images to train on; the rest of the {IMAGES} is the test set"
    wrong_help = "share of the training labels replaced by random ones; 0 leaves a task that needs no regularisation"
    parser.add_argument("--seeds", type=whole_number(1), default=3, metavar="N", help="runs of each setting")
    parser.add_argument("--epochs", type=whole_number(1), default=25, metavar="N", help="epochs of each run")
    parser.add_argument("--train-images", type=images, default=400, metavar="N", help=images_help)
    parser.add_argument("--wrong-labels", type=share, default=0.4, metavar="SHARE", help=wrong_help)
    parser.add_argument("--picture", type=picture_path, default="digits.png", metavar="PATH", help="PNG file to write")
    return parser.parse_args(arguments)


def whole_number(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Return a type for argparse: whole numbers between two bounds, both included."""
    bounds = f"of at least {lowest}" if highest is None else f"from {lowest} to {highest}"

    def convert(text: str) -> int:
        value = int(text) if text.isdecimal() else None
        if value is None or value < lowest or (highest is not None and value > highest):
            raise argparse.ArgumentTypeError(f"must be a whole number {bounds}, found {text!r}")
        return value

    return convert


def share(text: str) -> float:
    """Convert for argparse: a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, found {text!r}")
    return value


def picture_path(text: str) -> Path:
    """Convert for argparse; a path that cannot be written is found before the training, not after it."""
    path = Path(text)
    if path.suffix.lower() != ".png" or not path.parent.is_dir() or path.is_dir():
        raise argparse.ArgumentTypeError(f"must be a file name ending in .png in an existing folder, found {text!r}")
    return path


def prepare_process() -> None:
    """Let this process use one thread, and Lightning speak of problems only."""
    # A network this small gains nothing from threads, and loses much where another program wants the cores.
    torch.set_num_threads(1)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # No problems: images in memory need no workers to load them; the other is about Lightning's own use of torch.
    warnings.filterwarnings("ignore", message=r".*does not have many workers")
    warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)` is deprecated")


def train_all(options: argparse.Namespace, console: Console) -> dict[str, list[Run]]:
    """Train with every seed and setting, under one progress bar."""
    images, labels = load_images()
    runs: dict[str, list[Run]] = {setting: [] for setting in SETTINGS}
    columns = (TextColumn("{task.description:27}"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("", total=len(SETTINGS) * options.seeds * options.epochs)
        for seed in range(options.seeds):
            split = train_test_split(range(IMAGES), train_size=options.train_images, stratify=labels, random_state=seed)
            train, test = (Images(images[part], labels[part]) for part in split)
            train = with_wrong_labels(train, options.wrong_labels, seed)
            for setting in SETTINGS:
                clock = Clock(progress, task, f"{setting}, seed {seed}")
                runs[setting].append(train_one(train, test, setting, seed, options.epochs, clock))
    return runs


def load_images() -> tuple[Tensor, Tensor]:
    """Return all images (N, 1, SIDE, SIDE), from 0 to 1, and their labels (N,)."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / BRIGHTEST
    return F.interpolate(images, size=(SIDE, SIDE), mode="bilinear"), torch.tensor(digits.target)


def with_wrong_labels(images: Images, share_wrong: float, seed: int) -> Images:
    """Replace a share of the labels by random ones, the same for both settings."""
    draws = torch.Generator().manual_seed(seed)
    pixels, labels = images.tensors
    is_replaced = torch.rand(len(labels), generator=draws) < share_wrong
    return Images(pixels, torch.where(is_replaced, torch.randint(CLASSES, labels.shape, generator=draws), labels))


def train_one(train: Images, test: Images, setting: str, seed: int, epochs: int, clock: Clock) -> Run:
    """Train a network and test it."""
    L.seed_everything(seed, verbose=False)
    order = torch.Generator().manual_seed(seed)  # its own, so that no other draw can change the order
    network = Classifier()
    trainer = L.Trainer(
        max_epochs=epochs,
        callbacks=[clock, CoMixup()] if setting == "Co-Mixup" else [clock],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(network, DataLoader(train, BATCH_SIZE, shuffle=True, generator=order))
    (metrics,) = trainer.test(network, DataLoader(test, IMAGES), verbose=False)
    return Run(network, test, metrics["accuracy"], metrics["calibration error"], clock.seconds)


def results_table(runs: dict[str, list[Run]]) -> Table:
    """Tabulate what was measured."""
    table = Table("mixing", title="Test set: mean ± standard deviation over the seeds")
    for heading in ("accuracy %", f"calibration error %\n(ECE, {BINS} bins)", "seconds per epoch\n(median)"):
        table.add_column(heading, justify="right")
    for setting, found in runs.items():
        accuracy = mean_and_deviation([100 * run.accuracy for run in found])
        calibration_error = mean_and_deviation([100 * run.calibration_error for run in found])
        seconds = statistics.median(second for run in found for second in run.epoch_seconds)
        table.add_row(setting, accuracy, calibration_error, f"{seconds:.2f}")
    return table


def mean_and_deviation(values: list[float]) -> str:
    """Write the mean and, where there are several values, the standard deviation."""
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation}"


def draw_picture(network: nn.Module, images: Tensor, labels: Tensor, path: Path) -> None:
    """Mix images by the network's saliency and draw some of the outputs, each beside all that it is made of."""
    saliency = compute_saliency(network, images, labels)
    mixed = comixup_batch(images, labels, saliency, num_classes=CLASSES, generator=0)
    plot_mixed_batch(images, mixed, targets=labels).savefig(path, dpi=DOTS_PER_INCH)


if __name__ == "__main__":
    main()
