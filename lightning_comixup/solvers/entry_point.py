"""Entry points: compiled functions that Python calls, with Numba's cache on disk.

Numba's own cache is safe for processes that start simultaneously, since each writes whole files. It does not handle
changed kernels, damaged files, folders that are not writable, or a fork while another thread compiles.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba

from lightning_comixup.solvers.compiled import COMPARING, OPTIONS

_njit: Any = numba.njit  # Numba's stubs omit some of the options, and the settings
_config: Any = numba.config
_WHAT_TO_DO = (
    "Set the environment variable NUMBA_CACHE_DIR to a folder of your own that is writable: anyone else who can write "
    "there can run code in your process."
)
# Files outside this folder whose values are compiled into the kernels.
_OUTSIDE = ("method/energy.py", "method/problem.py")

# Locked while a process compiles or loads. A fork waits for this lock. Otherwise the child could inherit Numba's own
# lock from a thread that does not exist in the child, and would wait forever.
_compiling = threading.RLock()
if hasattr(os, "register_at_fork"):  # missing on Windows, which cannot fork
    os.register_at_fork(
        before=_compiling.acquire, after_in_parent=_compiling.release, after_in_child=_compiling.release
    )


@cache
def source_fingerprint() -> str:
    """Return a hash of the solver's source, which changes with every edit."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in [*sorted(folder.glob("*.py")), *(folder.parent / name for name in _OUTSIDE)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


class EntryPoint:
    """A compiled function whose first call compiles it, or loads it from the cache if that is intact."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """Prepare to compile a function of numbers and arrays."""
        # Numba only notices changes to the file of this function. Its name, which the cache's files share, therefore
        # includes the fingerprint of all kernels.
        function.__qualname__ = f"{function.__name__}-{source_fingerprint()}"
        self._function = function
        self._dispatcher = _with_cache(function)
        self._is_used = bool(_config.DISABLE_JIT)  # then there is nothing to compile
        self._is_announced = False

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        if self._is_used:
            return self._dispatcher(*arguments)
        with _compiling:
            result = self._dispatcher(*arguments) if self._is_used else self._call_first(*arguments)
            self._is_used = True
        return result

    @property
    def folder(self) -> Path | None:
        """The folder of the cache; None if no folder is writable."""
        path = self._dispatcher.stats.cache_path
        return None if path is None else Path(path)

    def first_use_note(self) -> str | None:
        """Return a message that the first call will compile; None if the function is already compiled or cached.

        The caller should show the message, since the first call then does not log it.
        """
        if self._is_used or any(self._files(".nbi")):
            return None
        self._is_announced = True
        start = "CoMixup: compiling the labeling solver, which takes some seconds"
        if self.folder is None:
            return f"{start}, at every start: no folder for its cache is writable. {_WHAT_TO_DO}"
        return f"{start}, only this once: later starts load it from {self.folder}."

    def _files(self, suffix: str) -> Iterator[Path]:
        if self.folder is not None:
            yield from self.folder.glob(f"*{self._function.__qualname__}*{suffix}")

    def _call_first(self, *arguments: Any) -> Any:
        note = None if self._is_announced else self.first_use_note()
        if note is not None:
            level = logging.WARNING if self.folder is None else logging.INFO
            logging.getLogger("lightning_comixup").log(level, note)
        try:
            self._remove_changed()
            result = self._dispatcher(*arguments)
        except OSError as error:  # the cache cannot be read or written: the disk may be full
            message = f"CoMixup: the compiled labeling solver could not be cached ({error}). {_WHAT_TO_DO}"
            warnings.warn(message, RuntimeWarning, stacklevel=3)
            if not self._dispatcher.signatures:
                self._dispatcher = _without_cache(self._function)
            result = self._dispatcher(*arguments)
        except Exception:  # unpickling a damaged file may raise anything
            if not any(self._files(".nb?")):
                raise
            with suppress(OSError):
                _remove(self._files(".nb?"))
            is_removed = not any(self._files(".nb?"))
            self._dispatcher = _with_cache(self._function) if is_removed else _without_cache(self._function)
            result = self._dispatcher(*arguments)
        self._write_digests()
        return result

    def _remove_changed(self) -> None:
        """Remove the cache if a file has changed since it was written: Numba would run damaged machine code."""
        with suppress(FileNotFoundError):  # another process has removed it, or there is no digest
            for path in self._files(".nbc"):
                found = path.with_suffix(_DIGEST).read_text(encoding="ascii", errors="replace")
                if found and found != _digest_of(path):  # empty: another process is about to write it
                    _remove(self._files(".nb?"))

    def _write_digests(self) -> None:
        if self._dispatcher.stats.cache_hits:
            return
        for path in self._files(".nbc"):
            with suppress(OSError):  # a file without a digest is trusted
                path.with_suffix(_DIGEST).write_text(_digest_of(path), encoding="ascii")


# The suffix of the files that store each cache file's digest from the time it was written.
_DIGEST = ".nbd"


def _digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _remove(paths: Iterator[Path]) -> None:
    for path in list(paths):
        path.unlink(missing_ok=True)


def _with_cache(function: Callable[..., Any]) -> Any:
    try:
        return _njit(cache=True, **OPTIONS, **COMPARING)(function)
    except RuntimeError:
        # Neither the package's folder nor the user's cache folder is writable for Numba.
        return _without_cache(function)


def _without_cache(function: Callable[..., Any]) -> Any:
    return _njit(**OPTIONS, **COMPARING)(function)
