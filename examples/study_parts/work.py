"""What a process is given to do, and how it is spread over several."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice, takewhile
from pathlib import Path
from typing import TypeVar

from examples.digits import prepare_process
from examples.study_parts.data import draw_split
from examples.study_parts.measures import fit_temperature, measure
from examples.study_parts.plan import Result, Run
from examples.study_parts.training import Way, predict, train

Task = TypeVar("Task")
Found = TypeVar("Found")


def do_run(run: Run, folder: Path, accelerator: str) -> Result:
    """Do a run.

    Args:
        run: The run.
        folder: Where Fashion-MNIST is.
        accelerator: Lightning's name.
    """
    split = draw_split(run.part, run.labels, run.seed, folder)
    way = Way(run.part, run.steps, run.network, accelerator)
    trained = train(split.train, split.validation, way, run.method, run.seed)
    val_logits, logits = (predict(trained.module, part.pixels) for part in (split.validation, split.test))
    temperature = fit_temperature(val_logits, split.validation.labels)
    scaled = measure(logits / temperature, split.test.labels)
    measures = (*measure(val_logits, split.validation.labels), *measure(logits, split.test.labels))
    return Result(*run, *measures, temperature, scaled.ece, scaled.nll, trained.seconds)


def spread(
    work: Callable[[Task], Found], tasks: Iterable[Task], processes: int, end: float = float("inf")
) -> Generator[Found, None, None]:
    """Do tasks in several processes of one thread each, or in this one; yield what they find as it comes.

    Args:
        work: A function that can be pickled.
        tasks: Its arguments.
        processes: How many processes; 1: this one.
        end: No task is begun after this time of `time.monotonic`.
    """
    left = takewhile(lambda _: time.monotonic() < end, tasks)
    if processes == 1:
        prepare_process()
        yield from map(work, left)
        return
    spawn = multiprocessing.get_context("spawn")  # forks of a process with threads may hang
    pool = ProcessPoolExecutor(processes, spawn, _prepare_worker)
    try:
        pending: set[Future[Found]] = {pool.submit(work, task) for task in islice(left, processes)}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            pending |= {pool.submit(work, task) for task in islice(left, len(done))}
            yield from (future.result() for future in done)
    except BaseException:  # an interruption, or a task that failed: nobody waits for the tasks under way
        for child in multiprocessing.active_children():
            child.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one decides
    prepare_process()
