"""Tasks spread over processes, which tell together how far they are."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from typing import Any, TypeVar

from examples.command_line import children_ignore_interrupts

Advance = Callable[[float], None]  # is given what has been done since its last call
Task = TypeVar("Task")
Found = TypeVar("Found")

_SECONDS_BETWEEN_LOOKS = 0.2  # heuristic: a bar that moves without a jerk
_done: Any = None  # in a worker: what all workers have done so far, a number in shared memory


def spread(
    work: Callable[[Task, Advance], Found],
    tasks: Sequence[Task],
    processes: int,
    prepare: Callable[[], None],
    show: Callable[[float], None],
) -> list[Found]:
    """Do tasks in several processes, or in this one, and return what they find, in the order of the tasks.

    Args:
        work: Does a task; it can be pickled, and calls its second argument as it goes on.
        tasks: Its first arguments.
        processes: How many processes; 1: this one.
        prepare: Called first in each process.
        show: Called now and then with all that has been done.
    """
    if processes == 1:
        prepare()
        return _do_here(work, tasks, show)
    spawn = multiprocessing.get_context("spawn")  # forks of a process with threads may hang
    done = spawn.Value("d", 0.0)
    pool = ProcessPoolExecutor(processes, spawn, _prepare_worker, (prepare, done))
    try:
        with children_ignore_interrupts():  # the first tasks start all processes
            futures = [pool.submit(_do_in_worker, work, task) for task in tasks]
        left = set(futures)
        while left:
            finished, left = wait(left, _SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED)
            show(done.value)
            for future in finished:
                future.result()  # raises what the task raised
        return [future.result() for future in futures]
    except BaseException:  # an interruption, or a task that failed: nobody waits for the tasks under way
        for child in multiprocessing.active_children():
            child.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _do_here(
    work: Callable[[Task, Advance], Found], tasks: Sequence[Task], show: Callable[[float], None]
) -> list[Found]:
    done = 0.0

    def advance(amount: float) -> None:
        nonlocal done
        done += amount
        show(done)

    return [work(task, advance) for task in tasks]


def _prepare_worker(prepare: Callable[[], None], done: Any) -> None:
    global _done
    _done = done
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows processes do not inherit it
    prepare()


def _do_in_worker(work: Callable[[Task, Advance], Found], task: Task) -> Found:
    return work(task, _advance)


def _advance(amount: float) -> None:
    with _done.get_lock():
        _done.value += amount
