"""Tasks spread over several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice, takewhile
from typing import Any, TypeVar

from examples.command_line import children_ignore_interrupts

Task = TypeVar("Task")
Found = TypeVar("Found")

SPAWN = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang


def spread(
    work: Callable[[Task], Found],
    tasks: Iterable[Task],
    processes: int,
    prepare: Callable[[], None],
    end: float = float("inf"),
) -> Generator[Found, None, None]:
    """Run tasks in several processes, or in this one, and yield their results as they arrive.

    Args:
        work: Runs a task. It must be picklable.
        tasks: Arguments for `work`.
        processes: Number of processes. 1 means this one.
        prepare: Called once in each process that runs tasks. It must be picklable.
        end: No task starts after this time of `time.monotonic`.
    """
    left = takewhile(lambda _: time.monotonic() < end, tasks)
    if processes == 1:
        prepare()
        yield from map(work, left)
        return
    with worker_pool(processes, prepare) as pool:
        yield from _do_in(pool, work, left, processes)


@contextmanager
def worker_pool(processes: int, prepare: Callable[..., None], *arguments: Any) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool whose processes end with this one, and are killed on any error.

    Args:
        processes: Number of processes. The first tasks start all of them. Submit those within
            `children_ignore_interrupts`.
        prepare: Called once in each process. It must be picklable.
        arguments: Arguments for `prepare`. Shared memory among them must come from `SPAWN`.
    """
    pool = ProcessPoolExecutor(processes, SPAWN, _prepare_worker, (prepare, arguments))
    try:
        yield pool
    except BaseException:  # after an interruption or a failed task, nobody needs the running tasks
        for child in multiprocessing.active_children():
            child.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _do_in(
    pool: ProcessPoolExecutor, work: Callable[[Task], Found], tasks: Iterator[Task], processes: int
) -> Iterator[Found]:
    """Run tasks in a pool, never giving it more tasks at a time than it has processes."""
    with children_ignore_interrupts():  # the first tasks start all processes
        pending: set[Future[Found]] = {pool.submit(work, task) for task in islice(tasks, processes)}
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        pending |= {pool.submit(work, task) for task in islice(tasks, len(done))}
        yield from (future.result() for future in done)


def _prepare_worker(prepare: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows, processes do not inherit it
    prepare(*arguments)


def _end_with_parent() -> None:
    """Wait until the parent process has ended, even if it was killed, and then end this one."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
