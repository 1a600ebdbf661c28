"""Start-up with an empty cache and without a cache. Each test compiles the solver once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import lightning_comixup
from tests.startup import make_masks

_ROOT = Path(__file__).parents[1]
_SECONDS = 600
_TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def _run(launcher: list[str], case: str, folder: Path, cwd: Path, **variables: str) -> list[str]:
    """Run a case and return the lines that this package printed."""
    result = subprocess.run(
        [sys.executable, *launcher, "-m", "tests.startup", case, str(folder)],
        cwd=cwd,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(_ROOT)} | variables,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return [line for line in (result.stdout + result.stderr).splitlines() if "CoMixup:" in line]


def _check_masks(*files: Path) -> None:
    expected = make_masks()
    for file in files:
        for masks in torch.load(file, weights_only=True):
            assert torch.equal(masks, expected)


@pytest.mark.slow
def test_ranks_start_at_once_and_workers_load_their_cache(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    told = _run(_TORCHRUN, "ranks", tmp_path, _ROOT, NUMBA_CACHE_DIR=str(cache))
    assert len(told) == 1, told
    assert "compiling the labeling solver" in told[0]  # only rank 0 prints
    assert sorted(path.suffix for path in cache.rglob("descent*")) == [".nbc", ".nbd", ".nbi"]
    assert not list(cache.rglob("*.tmp*"))
    assert _run([], "workers", tmp_path, _ROOT, NUMBA_CACHE_DIR=str(cache)) == []
    _check_masks(tmp_path / "ranks0.pt", tmp_path / "ranks1.pt", tmp_path / "workers0.pt")


@pytest.mark.slow
def test_where_nothing_can_be_written_it_compiles_in_memory(tmp_path: Path) -> None:
    """A file is in the place of the package's cache folder, and another in the path of the user's folders."""
    package = tmp_path / "site" / "lightning_comixup"
    source = Path(lightning_comixup.__file__).parent
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "solvers" / "__pycache__").write_text("")
    below = str(package / "__init__.py" / "cache")
    folders = {"HOME": below, "XDG_CACHE_HOME": below, "NUMBA_CACHE_DIR": below}
    told = _run([], "one process", tmp_path, package.parent, **folders)
    assert len(told) == 1, told
    assert "no folder for its cache is writable. Set the environment variable NUMBA_CACHE_DIR" in told[0]
    _check_masks(tmp_path / "one process0.pt")
