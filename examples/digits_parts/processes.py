"""Tasks spread over processes that report their progress together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from typing import Any, TypeVar

from examples.command_line import children_ignore_interrupts
from examples.processes import SPAWN, worker_pool

Advance = Callable[[float], None]  # receives the work done since its last call
Task = TypeVar("Task")
Found = TypeVar("Found")

_SECONDS_BETWEEN_LOOKS = 0.2  # heuristic: the bar moves smoothly
_done: Any = None  # in a worker: the work that all workers have done so far, a number in shared memory


def spread(
    work: Callable[[Task, Advance], Found],
    tasks: Sequence[Task],
    processes: int,
    prepare: Callable[[], None],
    show: Callable[[float], None],
) -> list[Found]:
    """Run tasks in several processes, or in this one, and return their results in the order of the tasks.

    Args:
        work: Runs a task and reports its progress by calling its second argument. It must be picklable.
        tasks: First arguments for `work`.
        processes: Number of processes. 1 means this one.
        prepare: Called first in each process.
        show: Called now and then with all the work done so far.
    """
    if processes == 1:
        prepare()
        return _do_here(work, tasks, show)
    done = SPAWN.Value("d", 0.0)
    with worker_pool(processes, _prepare_worker, prepare, done) as pool:
        with children_ignore_interrupts():  # the first tasks start all processes
            futures = [pool.submit(_do_in_worker, work, task) for task in tasks]
        left = set(futures)
        while left:
            finished, left = wait(left, _SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED)
            show(done.value)
            for future in finished:
                future.result()  # raises the task's error, if any
        return [future.result() for future in futures]


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
    prepare()


def _do_in_worker(work: Callable[[Task, Advance], Found], task: Task) -> Found:
    return work(task, _advance)


def _advance(amount: float) -> None:
    with _done.get_lock():
        _done.value += amount
