"""Compiling kernels with Numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

# Numba's stubs leave out some of the options.
_njit: Any = numba.njit

Function = TypeVar("Function", bound=Callable[..., Any])

# IEEE division: no test for a zero that would raise a Python exception.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
# No NaN and no sign of zero to respect, so that loops which choose the lower of two numbers become vector instructions.
# Sums keep their order: results are the same on every processor.
COMPARING: dict[str, Any] = {"fastmath": {"nnan", "nsz"}}
# Kernels are called by each other only; without wrappers for Python and C they compile in two thirds of the time.
_INTERNAL: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def kernel(function: Function) -> Function:
    """Compile `function` as a part of an entry point, which alone has a cache."""
    compiled: Function = _njit(**OPTIONS, **COMPARING, **_INTERNAL)(function)
    return compiled


def small(function: Function) -> Function:
    """Compile `function` as a kernel that is copied into its callers: what one cell needs takes less than a call."""
    compiled: Function = _njit(forceinline=True, **OPTIONS, **COMPARING, **_INTERNAL)(function)
    return compiled


def checking(function: Function) -> Function:
    """Compile `function` as a kernel that may meet NaN: every other counts on numbers that can be compared."""
    compiled: Function = _njit(fastmath=False, **OPTIONS, **_INTERNAL)(function)  # else the caller's is handed on
    return compiled
