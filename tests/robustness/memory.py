"""The memory, objects and threads of a process during training, read at regular intervals."""

from __future__ import annotations

import gc
import os
import resource
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as pl

_STATM = Path("/proc/self/statm")


class Reading(NamedTuple):
    """The memory, objects and threads of the process."""

    resident: int  # bytes of memory
    blocks: int  # allocated by Python, for every object of up to 512 bytes
    objects: int  # tracked by the garbage collector
    threads: int  # of Python only
    tasks: int  # all threads of the process, including PyTorch's


def _resident() -> int:
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # other systems report only the peak
    return peak if sys.platform == "darwin" else 1024 * peak


def _tasks() -> int:
    folder = Path("/proc/self/task")
    return len(list(folder.iterdir())) if folder.exists() else threading.active_count()


def read_memory() -> Reading:
    """Collect garbage, then take a reading."""
    gc.collect()
    blocks = sys.getallocatedblocks()
    return Reading(_resident(), blocks, len(gc.get_objects()), threading.active_count(), _tasks())


class MemoryWatch(pl.Callback):
    """Takes readings at regular intervals, at the end of a step."""

    def __init__(self, steps: int, readings: int) -> None:
        self._every = steps // readings
        self.readings: list[Reading | None] = [None] * readings

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        place, rest = divmod(trainer.global_step, self._every)
        if rest == 0 and 0 < place <= len(self.readings):
            self.readings[place - 1] = read_memory()
