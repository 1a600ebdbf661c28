"""The length of the robustness tests: short in every test run, or long with `COMIXUP_TESTS=long` in the environment.

    COMIXUP_TESTS=long python -m pytest tests/robustness --hypothesis-seed=1

Short runs draw the same cases each time. Long runs draw from the given seed or, without one, from fresh entropy. A
failure is printed with a line that reproduces it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from hypothesis import HealthCheck, settings

LONG = os.environ.get("COMIXUP_TESTS") == "long"
# Seconds of processor time, because a machine may stall. A case takes a few milliseconds. If it takes this long, it
# hangs or compiles the solver again. The value is a heuristic.
_HANGS = 10.0

Arguments = ParamSpec("Arguments")
Test = Callable[Arguments, None]


def cases(short: int, long: int) -> Callable[[Test[Arguments]], Test[Arguments]]:
    """Return a decorator that sets how many cases to draw and how, and fails if a case hangs."""
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
    """Return the number of training steps."""
    return long if LONG else short
