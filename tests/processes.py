"""Start Python in a separate process, for tests of programs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE = 120.0  # seconds: no program in the tests takes this long to start or to end
RECIPE = str(ROOT / "examples" / "recipes" / "configs" / "fashion_mnist.yaml")


def start_python(words: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    """Start Python in its own session, so that a signal reaches it and all its children, like Ctrl-C in a terminal."""
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
