"""A callback that measures the time of a training."""

from __future__ import annotations

import time
from typing import Any

import lightning as L

from examples.digits_parts.processes import Advance


class Clock(L.Callback):
    """Measures processor time, which other programs hardly affect, and reports progress after each step."""

    def __init__(self, advance: Advance, step_cost: float) -> None:
        """Set the clock to zero.

        Args:
            advance: Called after each step with its cost.
            step_cost: The cost of a step.
        """
        self.advance, self.step_cost = advance, step_cost
        self.start = self.seconds = 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock. The solver is already compiled by then."""
        self.start = time.process_time()

    def on_train_batch_end(self, *arguments: Any) -> None:
        """Report that a step is done."""
        self.advance(self.step_cost)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop the clock."""
        self.seconds = time.process_time() - self.start
