"""Compiling kernels with Numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

# Numba's stubs omit some of the options.
_njit: Any = numba.njit

Function = TypeVar("Function", bound=Callable[..., Any])

# IEEE division, without the test for zero that would raise a Python exception.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
# The compiler may ignore NaN and the sign of zero, so that loops choosing the lower of two numbers become vector
# instructions. Sums keep their order, so that results are the same on every processor.
COMPARING: dict[str, Any] = {"fastmath": {"nnan", "nsz"}}
# Only other kernels call kernels. Without wrappers for Python and C they compile in two thirds of the time.
_INTERNAL: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def kernel(function: Function) -> Function:
    """Compile `function` as part of an entry point; only entry points are cached."""
    compiled: Function = _njit(**OPTIONS, **COMPARING, **_INTERNAL)(function)
    return compiled


def small(function: Function) -> Function:
    """Compile `function` as a kernel that is inlined into its callers: its work takes less time than a call."""
    compiled: Function = _njit(forceinline=True, **OPTIONS, **COMPARING, **_INTERNAL)(function)
    return compiled


def checking(function: Function) -> Function:
    """Compile `function` as a kernel that handles NaN; all other kernels assume that there is none."""
    compiled: Function = _njit(fastmath=False, **OPTIONS, **_INTERNAL)(function)  # otherwise the caller's applies
    return compiled
