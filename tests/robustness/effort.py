"""How long the robustness tests run: as part of every run, or long, with `COMIXUP_TESTS=long` in the environment.

    COMIXUP_TESTS=long python -m pytest tests/robustness --hypothesis-seed=1

Short runs draw the same cases each time. Long ones draw from the seed given, without one from fresh entropy; what
fails is printed with a line that repeats it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from hypothesis import HealthCheck, settings

LONG = os.environ.get("COMIXUP_TESTS") == "long"
# Seconds of processor time (a machine may stall). A case takes some milliseconds; one that takes this long hangs, or
# has the solver compiled anew. Heuristic.
_HANGS = 10.0

Arguments = ParamSpec("Arguments")
Test = Callable[Arguments, None]


def cases(short: int, long: int) -> Callable[[Test[Arguments]], Test[Arguments]]:
    """Return a decorator that says how many cases to draw, and how; none of them may hang."""
    chosen = settings(
        max_examples=long if LONG else short,
        derandomize=not LONG,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )

    def decorate(test: Test[Arguments]) -> Test[Arguments]:
        @wraps(test)
        def timed(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
            start = time.process_time()
            test(*args, **kwargs)
            assert time.process_time() - start < _HANGS

        return chosen(timed)

    return decorate


def steps(short: int, long: int) -> int:
    """Return how many training steps to take."""
    return long if LONG else short
