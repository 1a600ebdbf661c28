"""What a process is given to do, and how it is spread over several."""

from __future__ import annotations

import math
import multiprocessing
import signal
import statistics
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TypeVar

from examples.digits import prepare_process
from examples.study_parts.plan import Cost, Place, Result, Run
from examples.study_parts.recipes import RECIPES
from examples.study_parts.training import split, train

_LEAST_STEPS = 60  # heuristic: of a calibration, for a median that two runs agree on
_LEAST_EPOCHS = 3

Task = TypeVar("Task")
Found = TypeVar("Found")


def measure(run: Run, folder: Path) -> Result:
    """Do a run.

    Args:
        run: The run.
        folder: Where Fashion-MNIST is.
    """
    trained = train(split(run.part, run.labels, run.seed, folder), run.part, run.method, run.seed, run.epochs)
    return Result(*run, *trained.measures, sum(trained.epoch_seconds))


def calibrate(place: Place, folder: Path) -> Cost:
    """Measure the cost of an epoch by a short run: the median over its epochs, all but the first.

    Args:
        place: Method and setting.
        folder: Where Fashion-MNIST is.
    """
    steps = math.ceil(place.labels / RECIPES[place.part].batch_size)
    epochs = 1 + max(_LEAST_EPOCHS, math.ceil(_LEAST_STEPS / steps))
    trained = train(split(place.part, place.labels, 0, folder), place.part, place.method, 0, epochs)
    return Cost(*place, statistics.median(trained.epoch_seconds[1:]))


def spread(work: Callable[[Task], Found], tasks: Sequence[Task], processes: int) -> Generator[Found, None, None]:
    """Do tasks in several processes of one thread each, or in this one; yield what they find as it comes.

    Args:
        work: A function that can be pickled.
        tasks: Its arguments.
        processes: How many processes; 1: this one.
    """
    if processes == 1:
        prepare_process()
        yield from map(work, tasks)
        return
    spawn = multiprocessing.get_context("spawn")  # forks of a process with threads may hang
    pool = ProcessPoolExecutor(processes, spawn, _prepare_worker)
    try:
        for done in as_completed([pool.submit(work, task) for task in tasks]):
            yield done.result()
    except BaseException:  # an interruption, or a task that failed: nobody waits for the tasks under way
        for child in multiprocessing.active_children():
            child.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one decides
    prepare_process()
