"""The first use of a compiled function in a process: from the cache, or compiled by one process while others wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from numba.core import event

_register: Any = event.register  # not typed by Numba

_LOCK_FILE = "lightning_comixup.lock"
# Seconds after which a process says that it waits: loading from the cache takes a tenth of that. Heuristic.
_PATIENCE = 3.0
# Seconds after which it no longer waits: ten compilations. Heuristic.
_LONGEST_WAIT = 300.0
_WHAT_TO_DO = "Set the environment variable NUMBA_CACHE_DIR to a folder that can be written."


class FirstUse:
    """A compiled function whose first call says if it compiles, and lets no other process compile at the same time."""

    def __init__(self, dispatcher: Any) -> None:
        """Wrap what Numba made of a function.

        Args:
            dispatcher: From `numba.njit`, with a cache on disk or without.
        """
        self._dispatcher = dispatcher
        self._threads = threading.Lock()
        self._is_used = False
        _register("numba:compile", _Announcement(dispatcher))

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        if self._is_used:
            return self._dispatcher(*arguments)
        with self._threads:
            result = self._dispatcher(*arguments) if self._is_used else self._call_first(*arguments)
            self._is_used = True
        return result

    @property
    def signatures(self) -> list[Any]:
        """The argument types that are compiled or loaded by now."""
        return self._dispatcher.signatures

    def _call_first(self, *arguments: Any) -> Any:
        try:
            with _alone(self._dispatcher.stats.cache_path):
                return self._dispatcher(*arguments)
        except OSError as error:
            if not self.signatures:
                raise
            # It is compiled, but the cache could not be written: the disk may be full.
            rank_zero_warn(f"CoMixup: the compiled labeling solver could not be cached ({error}). {_WHAT_TO_DO}")
            return self._dispatcher(*arguments)


class _Announcement(event.Listener):
    """Tells the user when Numba compiles one function: it does not where it finds it in the cache."""

    def __init__(self, dispatcher: Any) -> None:
        self._dispatcher = dispatcher

    def on_start(self, event: event.Event) -> None:
        if event.data["dispatcher"] is not self._dispatcher:
            return
        folder = self._dispatcher.stats.cache_path
        start = "CoMixup: compiling the labeling solver, which can take half a minute"
        if folder is None:
            rank_zero_warn(f"{start} and will at every start: no folder for its cache can be written. {_WHAT_TO_DO}")
        else:
            rank_zero_info(f"{start}, this once: later starts load it from {folder}.")

    def on_end(self, event: event.Event) -> None:
        pass


@contextmanager
def _alone(folder: str | None) -> Iterator[None]:
    """Keep other processes from the same cache folder meanwhile, if it can be locked.

    Without the lock nothing breaks: each process compiles, and Numba replaces the cache's files whole.
    """
    if folder is None:
        yield
        return
    lock = FileLock(Path(folder) / _LOCK_FILE)
    _acquire(lock)
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock) -> None:
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        rank_zero_info("CoMixup: waiting for another process that compiles the labeling solver ...")
        _acquire_late(lock)
    except (OSError, NotImplementedError):
        pass  # a file system without locks


def _acquire_late(lock: FileLock) -> None:
    try:
        lock.acquire(timeout=_LONGEST_WAIT)
    except Timeout:
        rank_zero_warn(f"CoMixup: {lock.lock_file} was held for {_LONGEST_WAIT:.0f} s; compiling without waiting.")
