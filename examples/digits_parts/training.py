"""The network of the examples with digits, and its training: without mixing, with MixUp, CutMix and Co-Mixup."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError

from examples.digits_parts.clock import Clock
from examples.digits_parts.data import Data
from examples.digits_parts.pairs import MixPairs, draw_cutmix, draw_mixup
from examples.digits_parts.processes import Advance, spread
from examples.digits_parts.results import BINS, Run
from examples.digits_parts.sizes import CLASSES
from lightning_comixup import CoMixup

BATCH_SIZE = 50
LEARNING_RATE = 0.01  # peak of the cycle. Heuristic, as are the sizes here
WIDTH = 8  # channels after the first convolution
TEST_BATCH = 500

NONE, COMIXUP = "none", "Co-Mixup"
PAIRS = {"MixUp": (draw_mixup, 1.0), "CutMix, half of a batch": (draw_cutmix, 0.5)}  # and the share of a batch to mix
# The time of a step, in steps without mixing. These are medians of runs in turn, on one thread of an x86-64 server.
# Co-Mixup's was 2.3 in short runs and 2.4 in long ones. The table shows the seconds of the actual runs.
STEP_COSTS = {NONE: 1.0, "MixUp": 1.06, "CutMix, half of a batch": 1.06, COMIXUP: 2.4}


class Classifier(L.LightningModule):
    """A small convolutional network, trained with cross-entropy. Nothing in it depends on the mixing."""

    def __init__(self) -> None:
        """Build the network."""
        super().__init__()
        self.network = nn.Sequential(
            *convolution(1, WIDTH, size=5, stride=2),
            *convolution(WIDTH, 2 * WIDTH),
            nn.MaxPool2d(2),
            *convolution(2 * WIDTH, 4 * WIDTH),
            *convolution(4 * WIDTH, 4 * WIDTH),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4 * WIDTH, CLASSES),
        )
        accuracy = MulticlassAccuracy(CLASSES, average="micro")
        calibration_error = MulticlassCalibrationError(CLASSES, n_bins=BINS)
        self.test_metrics = MetricCollection({"accuracy": accuracy, "calibration_error": calibration_error})

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.network(images)
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch, mixed or not."""
        images, targets = batch
        return F.cross_entropy(self(images), targets)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Update and log the metrics with a batch."""
        images, labels = batch
        self.test_metrics.update(self(images).softmax(1), labels)
        self.log_dict(self.test_metrics)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW with one cycle of the learning rate, which ends near 0, so that every run converges."""
        optimizer = torch.optim.AdamW(self.parameters())
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def convolution(before: int, after: int, size: int = 3, stride: int = 1) -> list[nn.Module]:
    """Return a convolution with batch normalisation and ReLU."""
    return [
        nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    ]


class Task(NamedTuple):
    """A run to carry out."""

    setting: str
    seed: int
    steps: int


def train(task: Task, advance: Advance, draw: Callable[[int], Data]) -> Run:
    """Train a network and test it.

    Args:
        task: The run.
        advance: Called after each step with its cost.
        draw: Draws the data for a seed.
    """
    setting, seed, steps = task
    L.seed_everything(seed, verbose=False)
    data, network, clock = draw(seed), Classifier(), Clock(advance, STEP_COSTS[setting])
    trainer = L.Trainer(
        max_steps=steps,
        callbacks=[clock, CoMixup()] if setting == COMIXUP else [clock],  # nothing else differs
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    order = torch.Generator().manual_seed(seed)  # separate, so that no other draw can change the order
    collate = MixPairs(*PAIRS[setting], seed) if setting in PAIRS else None
    trainer.fit(network, DataLoader(data.train, BATCH_SIZE, shuffle=True, generator=order, collate_fn=collate))
    (metrics,) = trainer.test(network, DataLoader(data.test, TEST_BATCH), verbose=False)
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    return Run(setting, seed, steps, metrics["accuracy"], metrics["calibration_error"], clock.seconds, weights)


def plan_equal_time(seeds: int, steps: int) -> list[Task]:
    """Return all runs. Each takes as long as `steps` steps without mixing."""
    costs = STEP_COSTS.items()
    return [Task(setting, seed, max(1, round(steps / cost))) for seed in range(seeds) for setting, cost in costs]


def prepare_process() -> None:
    """Limit this process to one thread, and Lightning's messages to problems."""
    # A network this small gains nothing from more threads, and loses a lot when another program needs the cores.
    torch.set_num_threads(1)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # These are not problems. Images in memory need no workers. The second one is about Lightning's own use of torch.
    warnings.filterwarnings("ignore", message=r".*does not have many workers")
    warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)` is deprecated")


def train_all(tasks: Sequence[Task], draw: Callable[[int], Data], processes: int, console: Console) -> list[Run]:
    """Carry out all runs, with one progress bar."""
    columns = (TextColumn("training"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        total = sum(task.steps * STEP_COSTS[task.setting] for task in tasks)
        show = partial(progress.update, progress.add_task("", total=total))
        work = partial(train, draw=draw)
        runs = spread(work, tasks, processes, prepare_process, lambda done: show(completed=done))
        show(completed=total)  # the rounding of the sum depends on the order in which steps end
    return runs


def load_network(run: Run) -> Classifier:
    """Return the network of a run, in evaluation mode."""
    network = Classifier()
    network.load_state_dict({name: torch.as_tensor(value) for name, value in run.weights.items()})
    return network.eval()
