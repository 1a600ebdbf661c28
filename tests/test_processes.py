"""Spreading tasks over processes."""

from __future__ import annotations

import math
import multiprocessing
import signal
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from examples.processes import spread

_LONG = 300.0  # seconds: no test takes this long


def _prepare() -> None:
    pass


def _fail_or_wait(seconds: float) -> float:
    time.sleep(seconds)
    return 1 / seconds


@pytest.mark.parametrize("processes", [1, 2])
def test_every_task_is_done_once(processes: int) -> None:
    found = list(spread(math.sqrt, [4.0, 9.0, 16.0, 25.0], processes, _prepare))
    assert sorted(found) == [2, 3, 4, 5]


def _handler(task: int) -> object:
    return signal.getsignal(signal.SIGINT)


def test_only_the_first_process_answers_interrupts() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert list(spread(_handler, [1, 2, 3], 2, _prepare)) == [signal.SIG_IGN] * 3
    assert signal.getsignal(signal.SIGINT) == before


def test_a_task_that_fails_ends_the_others() -> None:
    start = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        list(spread(_fail_or_wait, [_LONG, 0.0], 2, _prepare))
    assert time.monotonic() - start < _LONG
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("processes", [1, 2])
def test_no_task_starts_after_the_deadline(processes: int) -> None:
    assert list(spread(math.sqrt, [4.0], processes, _prepare, end=time.monotonic() - 1)) == []


def test_a_task_under_way_at_the_deadline_is_finished() -> None:
    end = time.monotonic() + 1
    assert list(spread(_wait_until(end), [1, 2], 1, _prepare, end)) == [1]


def _wait_until(end: float) -> Callable[[int], int]:
    def wait(number: int) -> int:
        time.sleep(max(0.0, end - time.monotonic()))
        return number

    return wait


def test_each_process_is_prepared() -> None:
    prepared = []
    list(spread(math.sqrt, [4.0, 9.0], 1, lambda: prepared.append(1)))
    assert prepared == [1]
    with pytest.raises(BrokenProcessPool):
        list(spread(math.sqrt, [4.0], 2, _fail))


def _fail() -> None:
    raise ValueError


def test_no_process_outlives_the_first_one(tmp_path: Path) -> None:
    path = tmp_path / "busy"
    first = multiprocessing.get_context("spawn").Process(target=_keep_busy, args=(path,))
    first.start()
    _wait_for(path.exists)
    lock = FileLock(_lock_of(path))
    with pytest.raises(Timeout):  # the other process holds the lock until it ends
        lock.acquire(blocking=False)
    first.kill()
    with lock.acquire(timeout=_LONG / 2):
        first.join()


def _keep_busy(path: Path) -> None:
    list(spread(_lock, [path], 2, _prepare))


def _lock(path: Path) -> None:
    with FileLock(_lock_of(path)):
        path.touch()
        time.sleep(_LONG)


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _LONG
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
