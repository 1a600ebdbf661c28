"""A run that is killed twice and resumed from its last checkpoint equals an uninterrupted run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.robustness.interrupted import BATCHES, EPOCHS, NEVER, train

_ROOT = Path(__file__).parents[2]
_TIME_LIMIT = 300  # seconds per process


def _run(folder: Path, kill_in: int) -> int:
    # Without Lightning's seed, so that each new process would draw its own.
    environment = {name: value for name, value in os.environ.items() if name != "PL_GLOBAL_SEED"}
    command = [sys.executable, "-m", "tests.robustness.interrupted", str(folder), str(kill_in)]
    paths = os.pathsep.join(filter(None, [str(_ROOT), environment.get("PYTHONPATH")]))
    environment |= {"PYTHONPATH": paths}
    ended = subprocess.run(command, cwd=_ROOT, env=environment, timeout=_TIME_LIMIT, capture_output=True, text=True)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode


def _notes(folder: Path) -> list[tuple[int, str, float]]:
    return [tuple(json.loads(line)) for line in (folder / "notes.jsonl").read_text().splitlines()]


def _seed(folder: Path) -> int:
    state: dict[str, Any] = torch.load(folder / "last.ckpt", weights_only=True)["callbacks"]
    found: int = state["CoMixup"]["seed"]
    return found


@pytest.mark.slow
def test_a_run_killed_twice_within_epochs_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    whole.mkdir()
    killed.mkdir()
    assert _run(killed, kill_in=17) == -signal.SIGKILL  # the last checkpoint is from after step 15
    assert _run(killed, kill_in=26) == -signal.SIGKILL  # the last checkpoint is from after step 23
    assert _run(killed, kill_in=NEVER) == 0
    train(whole, seed=_seed(killed))

    found, wanted = _notes(killed), _notes(whole)
    assert [step for step, *_ in wanted] == list(range(EPOCHS * BATCHES))
    assert Counter(step for step, *_ in found) == Counter([*range(EPOCHS * BATCHES), 16, 24, 25])
    assert set(found) == set(wanted)
    weights = [torch.load(folder / "weights.pt", weights_only=True) for folder in (killed, whole)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
