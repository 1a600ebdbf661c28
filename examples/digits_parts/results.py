"""The results of a run, and the table of all runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

BINS = 15  # of the calibration error


class Run(NamedTuple):
    """A trained network and its measurements, which are shares of the test set and seconds of processor time."""

    setting: str
    seed: int
    steps: int
    accuracy: float
    calibration_error: float
    seconds: float
    # Arrays, because PyTorch would pass tensors between processes in shared memory, which a container may lack.
    weights: dict[str, NDArray[np.generic]]


def results_table(runs: Sequence[Run]) -> Table:
    """Tabulate the measurements, one row per setting."""
    table = Table("mixing", title="Test set: mean ± standard deviation over the seeds")
    headings = ("accuracy %", f"calibration\nerror %\n(ECE, {BINS} bins)", "steps", "training\nseconds")
    for heading in headings:
        table.add_column(heading, justify="right")
    for setting in dict.fromkeys(run.setting for run in runs):
        found = [run for run in runs if run.setting == setting]
        accuracy = mean_and_deviation([100 * run.accuracy for run in found])
        calibration_error = mean_and_deviation([100 * run.calibration_error for run in found])
        seconds = f"{statistics.mean(run.seconds for run in found):.0f}"
        table.add_row(setting, accuracy, calibration_error, f"{found[0].steps:,}", seconds)
    return table


def mean_and_deviation(values: list[float]) -> str:
    """Format the mean and, if there are several values, the standard deviation."""
    deviation = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{deviation}"
