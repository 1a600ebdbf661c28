"""Python in a process of its own, for tests of programs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE = 120.0  # seconds: no program of a test takes as long to begin or to end
RECIPE = str(ROOT / "examples" / "recipes" / "configs" / "fashion_mnist.yaml")


def start_python(words: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    """Start Python in a session of its own, as a terminal's Ctrl-C reaches a program with all its children."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
