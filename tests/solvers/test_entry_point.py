"""The first use of a compiled function, tested with one that compiles quickly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_comixup.solvers.entry_point import EntryPoint, source_fingerprint

# The packages are left empty, because importing PyTorch in every process would take most of the time.
_MODULE = """
import sys
from types import ModuleType

for name in ("lightning_comixup", "lightning_comixup.solvers"):
    sys.modules[name] = ModuleType(name)
    sys.modules[name].__path__ = ["{root}/" + name.replace(".", "/")]

from lightning_comixup.solvers.entry_point import EntryPoint

@EntryPoint
def double(number):
    return 2 * number
"""
_SCRIPT = """
import logging
import sys
from doubling import double

if "logging" in sys.argv:
    logging.basicConfig(level=logging.INFO)
if "full disk" in sys.argv:
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
print(double(21), double(4), len(double._dispatcher.signatures), sum(double._dispatcher.stats.cache_misses.values()))
"""
_COMPILED = "42 8 1 1"
_LOADED = "42 8 1 0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = Path(__file__).parents[2].as_posix()
    (tmp_path / "doubling.py").write_text(_MODULE.replace("{root}", root))
    return tmp_path


def _start(folder: Path, *arguments: str, script: str = _SCRIPT, **variables: str) -> subprocess.Popen[str]:
    # Without this variable, the cache is next to the module.
    outer = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        env=outer | {"PYTHONPATH": str(folder)} | variables,
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
def test_a_compilation_is_announced_and_a_later_start_is_silent(folder: Path) -> None:
    output, messages = _end(_start(folder, "logging"))
    assert output == _COMPILED
    assert messages.count("CoMixup: compiling the labeling solver, which takes some seconds, only this once") == 1
    assert f"later starts load it from {folder}" in messages
    assert _cached(folder) == [".nbc", ".nbd", ".nbi"]
    output, messages = _end(_start(folder, "logging"))
    assert output == _LOADED
    assert "CoMixup" not in messages


@pytest.mark.slow
def test_processes_that_start_at_once_leave_a_sound_cache(folder: Path) -> None:
    ended = [_end(process) for process in [_start(folder) for _ in range(3)]]
    assert {output for output, _ in ended} <= {_LOADED, _COMPILED}
    assert _cached(folder) == [".nbc", ".nbd", ".nbi"]
    assert _end(_start(folder))[0] == _LOADED


@pytest.mark.slow
def test_without_a_folder_for_the_cache_it_works_and_says_what_to_do(folder: Path) -> None:
    """Permissions would not stop root. The folders are therefore below a file, or a file has the name of the folder."""
    (folder / "__pycache__").write_text("")
    below = str(folder / "doubling.py" / "cache")
    output, messages = _end(_start(folder, HOME=below, XDG_CACHE_HOME=below, NUMBA_CACHE_DIR=below))
    assert output.split()[:3] == _COMPILED.split()[:3]
    assert messages.count("at every start: no folder for its cache is writable. Set the environment variable") == 1
    assert "NUMBA_CACHE_DIR to a folder of your own" in messages
    assert _cached(folder) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are Unix's")
def test_with_a_full_disk_it_works_and_says_what_to_do(folder: Path) -> None:
    output, messages = _end(_start(folder, "full disk"))
    assert output == _COMPILED
    assert "could not be cached ([Errno 27] File too large). Set the environment variable NUMBA_CACHE_DIR" in messages
    assert ".nbi" not in _cached(folder)


def _flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(255 - byte for byte in content[middle : middle + 40]) + content[middle + 40 :]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "damage"),
    [(".nbi", lambda _: b""), (".nbi", _flip), (".nbc", lambda content: content[:-30]), (".nbc", _flip)],
    ids=["index empty", "index flipped", "code cut", "code flipped"],
)
def test_a_damaged_cache_is_compiled_anew_once(folder: Path, suffix: str, damage: Callable[[bytes], bytes]) -> None:
    assert _end(_start(folder))[0] == _COMPILED
    (path,) = folder.rglob(f"doubling*{suffix}")
    path.write_bytes(damage(path.read_bytes()))
    assert _end(_start(folder))[0] == _COMPILED
    assert _end(_start(folder))[0] == _LOADED


@pytest.mark.slow
def test_a_damaged_cache_without_a_digest_is_compiled_anew_once(folder: Path) -> None:
    """This is the case if the digest could not be written. Unpickling fails, though not immediately."""
    assert _end(_start(folder))[0] == _COMPILED
    for path in folder.rglob("doubling*.nbd"):
        path.unlink()
    (path,) = folder.rglob("doubling*.nbc")
    path.write_bytes(path.read_bytes()[:100])
    assert _end(_start(folder))[0] == _COMPILED


_FORKING = """
import os
import threading
import time
from doubling import double

thread = threading.Thread(target=double, args=(21,))
thread.start()
time.sleep(0.05)  # it compiles meanwhile
child = os.fork()
if child == 0:
    os._exit(0 if double(4) == 8 else 1)
thread.join()
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        print(os.waitstatus_to_exitcode(status))
        break
    time.sleep(0.05)
else:
    os.kill(child, 9)
    print("waits for ever")
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_while_another_thread_compiles(folder: Path) -> None:
    variables = {"PYTHONWARNINGS": "ignore::DeprecationWarning"}  # Python warns about forks while threads run
    assert _end(_start(folder, script=_FORKING, **variables))[0] == "0"


def test_the_caller_of_the_note_announces_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def triple(number: int) -> int:
        return 3 * number

    function = EntryPoint(triple)
    if function.folder is not None:
        for path in function.folder.glob("*triple*"):
            path.unlink()
    note = function.first_use_note()
    assert note is not None and "compiling" in note
    with caplog.at_level("INFO"):
        assert function(2) == 6
    assert "CoMixup" not in caplog.text
    assert function.first_use_note() is None


def test_an_error_of_the_function_is_unchanged(tmp_path: Path) -> None:
    @EntryPoint
    def fails(number: int) -> int:
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        fails(2)


def test_the_fingerprint_names_the_files_of_the_cache() -> None:
    @EntryPoint
    def quadruple(number: int) -> int:
        return 4 * number

    assert quadruple(2) == 8
    assert quadruple.folder is not None
    assert list(quadruple.folder.glob(f"*quadruple-{source_fingerprint()}*.nbi"))


@pytest.mark.slow
def test_it_works_without_a_readable_cache(folder: Path) -> None:
    assert _end(_start(folder))[0] == _COMPILED
    (path,) = folder.rglob("doubling*.nbc")
    path.unlink()
    path.mkdir()  # this also works as root, who has all permissions
    output, messages = _end(_start(folder))
    assert output.split()[:3] == _COMPILED.split()[:3]
    assert "could not be cached" in messages
