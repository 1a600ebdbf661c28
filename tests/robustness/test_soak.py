"""Memory, objects and threads do not grow during long training. See `effort` for its length.

The bounds come from measurements over 1,500 to 5,000 steps. In the second half, objects grew by one per reading (the
reading itself) and blocks by less than 150. Resident memory did not grow on one thread, and on two by at most 6 MB.
While pictures are drawn, it varies by up to 14 MB. If each step kept one object, there would be hundreds.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from torch.nn import functional as F

from lightning_comixup import CoMixup
from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.problem import Problem
from lightning_comixup.solvers import dispatch
from lightning_comixup.solvers.dispatch import solve_groups
from tests.random_problems import random_group
from tests.robustness.effort import steps
from tests.robustness.memory import MemoryWatch, Reading, read_memory
from tests.tiny import Plain, fit, make_loader

_READINGS = 8


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Use one thread. PyTorch's threads wait for each other by spinning, which makes steps this small slow."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Forgetful(Plain):
    """A module that keeps nothing from its batches."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1])


def _train(number: int, folder: Path, **mixing: Any) -> list[Reading]:
    watch = MemoryWatch(number, _READINGS)
    fit(
        Forgetful(),
        CoMixup(seed=0, partition_size=4, grid_size="random", prob=0.9, **mixing),
        watch,
        loader=make_loader(240, 12),
        max_epochs=-1,
        max_steps=number,
        logger=CSVLogger(folder, flush_logs_every_n_steps=50),
    )
    readings = [reading for reading in watch.readings if reading is not None]
    assert len(readings) == _READINGS
    return readings


def _growth(readings: list[Reading]) -> Reading:
    """Return the growth over the second half of the readings."""
    first, last = readings[_READINGS // 2 - 1], readings[-1]
    return Reading(*(after - before for before, after in zip(first, last, strict=True)))


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_long_training_does_not_grow(tmp_path: Path) -> None:
    number = steps(short=1500, long=5000)
    grown = _growth(_train(number, tmp_path))
    assert grown.objects < 50
    assert grown.blocks < 600
    assert grown.resident < 16e6
    assert grown.threads == grown.tasks == 0


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_pictures_leave_nothing_behind(tmp_path: Path) -> None:
    number = steps(short=40, long=800)
    grown = _growth(_train(number, tmp_path, log_images_every=5, images_folder=tmp_path / "pictures"))
    assert len(list((tmp_path / "pictures").glob("*.png"))) > number // 10
    assert grown.objects < 50
    assert grown.blocks < 600
    assert grown.resident < 48e6
    assert grown.threads == grown.tasks == 0


def _problems(draws: np.random.Generator) -> list[Problem]:
    groups = [random_group(draws, 4, (3, 3)) for _ in range(4)]
    starts = draws.integers(0, 4, size=(1, 4, 3, 3), dtype=np.int32)
    return [Problem(*group, starts, Hyperparameters()) for group in groups]


def _solve(problems: list[Problem], times: int) -> Reading:
    for _ in range(times):
        solve_groups(problems)
    # Work that was cancelled stays in the pool's queue until a thread of the pool reaches it.
    dispatch._pool(2, os.getpid()).submit(int).result()
    return read_memory()


def _solver_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("comixup")}


def test_the_solvers_threads_are_kept_from_batch_to_batch() -> None:
    """They are used when several groups are solved at once. The solver itself does not start PyTorch threads."""
    problems = _problems(np.random.default_rng(0))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        # After this, each thread has solved a group and created its arrays.
        first, kept = _solve(problems, 2000), _solver_threads()
        last = _solve(problems, 2000)
    finally:
        torch.set_num_threads(before)
    # There are at most two besides this one. The second starts when the first is busy for the first time.
    assert 0 < len(kept) <= len(_solver_threads()) <= 2
    assert kept <= _solver_threads()
    assert last.threads - first.threads == last.tasks - first.tasks == len(_solver_threads()) - len(kept)
    assert last.blocks - first.blocks < 200
    assert last.objects - first.objects < 20
