"""A learning rate that is linear between given epochs, and may jump where one line ends and the next begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightning as L
import numpy as np


@dataclass(frozen=True, kw_only=True)
class LearningRateLine:
    """Learning rates at some points in time, with straight lines between them."""

    epochs: list[float]
    values: list[float]

    def __post_init__(self) -> None:
        """Check the points.

        Raises:
            ValueError: If the epochs do not rise, or do not have one value each.
        """
        rising = all(before < after for before, after in zip(self.epochs, self.epochs[1:], strict=False))
        if not self.epochs or len(self.epochs) != len(self.values) or not rising:
            raise ValueError(f"A line needs rising epochs and a value for each, found {self.epochs} and {self.values}.")


def learning_rate(lines: Sequence[LearningRateLine], epoch: int, share: float) -> float:
    """Return the learning rate within an epoch.

    Args:
        lines: Lines in the order of their first epochs. The last one that has begun at the start of `epoch` applies.
        epoch: Number of finished epochs.
        share: Share of the epoch's batches that are finished after this one, above 0 and at most 1.
    """
    line = [line for line in lines if line.epochs[0] <= epoch][-1]
    return float(np.interp(epoch + share, line.epochs, line.values))


class InterpolatedLearningRate(L.Callback):
    """Set the learning rate of all parameter groups before each batch, instead of the optimizer's own.

    It depends only on the epoch and the batch, so a resumed run continues where it stopped.
    """

    def __init__(self, lines: list[LearningRateLine]) -> None:
        """Check and store the lines.

        Args:
            lines: Lines in the order of their first epochs. The first one begins at epoch 0.

        Raises:
            ValueError: If they do not begin at 0 or are not in order.
        """
        starts = [line.epochs[0] for line in lines]
        if not starts or starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError(f"lines must begin at epoch 0 and be in order, found lines that begin at {starts}.")
        self.lines = lines

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Set the learning rate of this batch's step."""
        share = (batch_idx + 1) / trainer.num_training_batches
        value = learning_rate(self.lines, trainer.current_epoch, share)
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = value
