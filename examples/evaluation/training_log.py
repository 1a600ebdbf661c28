"""A metric over the last epochs of a run, from Lightning's CSVLogger."""

from __future__ import annotations

import csv
import statistics
from pathlib import Path
from typing import NamedTuple

from examples.command_line import CommandError

LAST_EPOCHS = 10  # for the median, as in OpenMixup's benchmarks


class LastEpochs(NamedTuple):
    """A metric at the end of training."""

    last: float
    median: float
    epochs: int  # in the median; fewer than LAST_EPOCHS if the run was shorter


def read_last_epochs(path: Path, metric: str) -> LastEpochs:
    """Return the last value of a metric and the median of the last ten epochs.

    Args:
        path: The logger's metrics.csv. If an epoch has several values, the last one counts.
        metric: Name of the metric's column.

    Raises:
        CommandError: If the file does not have this column, or the column is empty.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or ()
        if metric not in columns or "epoch" not in columns:
            raise CommandError(f"{path} must have the columns epoch and {metric}, found {', '.join(columns)}.")
        by_epoch = {int(line["epoch"]): float(line[metric]) for line in reader if line[metric] and line["epoch"]}
    if not by_epoch:
        raise CommandError(f"{metric} must have values in {path}, found none. Name a metric that was logged.")
    values = [by_epoch[epoch] for epoch in sorted(by_epoch)][-LAST_EPOCHS:]
    return LastEpochs(values[-1], statistics.median(values), len(values))
