"""How long the robustness tests run: as part of every run, or long, with `COMIXUP_TESTS=long` in the environment.

    COMIXUP_TESTS=long python -m pytest tests/robustness --hypothesis-seed=1

Short runs draw the same cases each time. Long ones draw from the seed given, without one from fresh entropy; what
fails is printed with a line that repeats it.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

LONG = os.environ.get("COMIXUP_TESTS") == "long"
# A case takes some milliseconds; one that takes this long hangs. Heuristic.
_HANGS_MS = 20_000


def cases(short: int, long: int) -> settings:
    """Return how many cases to draw, and how."""
    return settings(
        max_examples=long if LONG else short,
        derandomize=not LONG,
        deadline=_HANGS_MS,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )


def steps(short: int, long: int) -> int:
    """Return how many training steps to take."""
    return long if LONG else short
