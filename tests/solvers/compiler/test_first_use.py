"""The first use of a compiled function, shown by one that compiles in a moment."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from lightning_comixup.solvers.compiler import first_use

_MODULE = """
from lightning_comixup.solvers.compiler.jit import entry_point

@entry_point
def double(number):
    return 2 * number
"""
_SCRIPT = """
import sys
from doubling import double

if "full disk" in sys.argv:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
print(double(21), double(4), len(double.signatures), sum(double._dispatcher.stats.cache_misses.values()))
"""
_COMPILED = "42 8 1 1"
_LOADED = "42 8 1 0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "doubling.py").write_text(_MODULE)
    return tmp_path


def _start(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    outer = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}  # beside the module
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, *arguments],
        cwd=folder,
        env=outer | {"PYTHONPATH": f"{folder}:{root}", "OMP_NUM_THREADS": "1"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _end(process: subprocess.Popen[str]) -> tuple[str, str]:
    output, messages = process.communicate(timeout=300)
    assert process.returncode == 0, messages
    return output.strip(), messages


def _cached(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.rglob("doubling*.nb*"))


@pytest.mark.slow
def test_a_compilation_is_told_and_a_later_start_is_silent(folder: Path) -> None:
    output, messages = _end(_start(folder))
    assert output == _COMPILED
    assert messages.count("CoMixup: compiling the labeling solver") == 1
    assert f"this once: later starts load it from {folder}" in messages
    assert _cached(folder) == [".nbc", ".nbi"]
    output, messages = _end(_start(folder))
    assert output == _LOADED
    assert "CoMixup" not in messages


@pytest.mark.slow
def test_one_of_several_processes_compiles(folder: Path) -> None:
    """They start at once with an empty cache; only rank 0 may speak."""
    ended = [_end(process) for process in [_start(folder, RANK=str(rank)) for rank in range(3)]]
    assert sorted(output for output, _ in ended) == [_LOADED, _LOADED, _COMPILED]
    assert _cached(folder) == [".nbc", ".nbi"]
    assert all("CoMixup" not in messages for _, messages in ended[1:])


@pytest.mark.slow
def test_without_a_folder_for_the_cache_it_works_and_says_what_to_do(folder: Path) -> None:
    """Permissions would not stop root: the folders lie below a file, and a file stands where one would be made."""
    (folder / "__pycache__").write_text("")
    below = str(folder / "doubling.py" / "cache")
    output, messages = _end(_start(folder, HOME=below, XDG_CACHE_HOME=below, NUMBA_CACHE_DIR=below))
    assert output.split()[:3] == _COMPILED.split()[:3]
    assert messages.count("at every start: no folder for its cache can be written. Set the environment variable") == 1
    assert "NUMBA_CACHE_DIR" in messages
    assert _cached(folder) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are Unix's")
def test_with_a_full_disk_it_works_and_says_what_to_do(folder: Path) -> None:
    output, messages = _end(_start(folder, "full disk"))
    assert output == _COMPILED
    assert "could not be cached ([Errno 27] File too large). Set the environment variable NUMBA_CACHE_DIR" in messages
    assert _cached(folder) == []


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold a lock in another thread."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with FileLock(path):
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_waiting_for_another_process_is_told_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(first_use, "_PATIENCE", 0.1)
    monkeypatch.setattr(first_use, "_LONGEST_WAIT", 0.1)
    entered = False
    with (
        caplog.at_level(logging.INFO),
        _held(tmp_path / "lightning_comixup.lock"),
        pytest.warns(UserWarning, match="compiling without waiting"),
        first_use._alone(str(tmp_path)),
    ):
        entered = True
    assert entered
    assert "waiting for another process" in caplog.text


def test_a_folder_that_cannot_be_locked_is_used_without(tmp_path: Path) -> None:
    (tmp_path / "lightning_comixup.lock").mkdir()
    with first_use._alone(str(tmp_path)):
        pass


class _Dispatcher:
    """What of Numba's dispatcher is used."""

    def __init__(self, folder: Path, error: OSError | None = None) -> None:
        self.stats = SimpleNamespace(cache_path=str(folder))
        self.signatures: list[str] = []
        self.error = error

    def __call__(self) -> None:
        if self.error is not None:
            raise self.error
        time.sleep(0.3)
        self.signatures.append("compiled")


def test_threads_wait_for_each_other_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(first_use, "_PATIENCE", 0.1)
    function = first_use.FirstUse(_Dispatcher(tmp_path))
    threads = [threading.Thread(target=function) for _ in range(2)]
    with caplog.at_level(logging.INFO):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(function.signatures) == 2
    assert "CoMixup" not in caplog.text


def test_a_cache_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no such file"):
        first_use.FirstUse(_Dispatcher(tmp_path, OSError("no such file")))()
