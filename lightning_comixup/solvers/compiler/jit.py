"""Compiling with Numba: kernels, instructions, entry points, and the key of their cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import extending

from lightning_comixup.solvers.compiler.first_use import FirstUse

# Numba's stubs leave out the options that spare the wrappers for calls from Python, and the settings.
_njit: Any = numba.njit
_config: Any = numba.config

Function = TypeVar("Function", bound=Callable[..., Any])

# IEEE division (no Python exception to test for) in every kernel; no NaN and no sign of zero to respect, so that minima
# become vector instructions.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"nnan", "nsz"}}


def kernel(function: Function) -> Function:
    """Compile `function` as a part of an entry point; it has no cache of its own.

    Numba keys a cached function by its own file alone. A cached part would survive a change of the parts that it calls,
    so only `entry_point` caches. Kernels do not count references, which took a third of the time: every array belongs
    to the caller of the entry point and outlives them, and they make none of their own.
    """
    compiled: Function = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False, **_OPTIONS)(function)
    return compiled


def checking(function: Function) -> Function:
    """Compile `function` as a kernel that may meet NaN: every other counts on numbers that can be compared."""
    options = _OPTIONS | {"fastmath": False}
    compiled: Function = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False, **options)(function)
    return compiled


def small(function: Function) -> Function:
    """Compile `function` as a kernel that the compiler copies into its callers: for less work than a call takes."""
    compiled: Function = _njit(
        no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True, _nrt=False, **_OPTIONS
    )(function)
    return compiled


def inlined(function: Function) -> Function:
    """Compile `function` only within its callers.

    Numba optimises a kernel with everything below it once more for each kernel above it. The upper levels, each called
    from one or two places, are spared that: the whole compiles in two thirds of the time.
    """
    compiled: Function = _njit(inline="always", **_OPTIONS)(function)
    return compiled


def instruction(function: Callable[..., Any]) -> Any:
    """Make an instruction of what generates it; Numba's stubs describe the generator, kernels call the instruction."""
    return extending.intrinsic(function)


def entry_point(function: Function) -> Function:
    """Compile `function` with a cache on disk, or without one where no folder can be written.

    Raises:
        RuntimeError: If Numba was told not to compile: instructions have no version in Python.
    """
    if _config.DISABLE_JIT:
        raise RuntimeError(
            "The labeling solver must be compiled, found the environment variable NUMBA_DISABLE_JIT set. Unset it, or "
            'use solver="pygco".'
        )
    try:
        dispatcher = _njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:
        # Numba found neither the package's folder nor the user's cache folder writable.
        dispatcher = _njit(**_OPTIONS)(function)
    return cast(Function, FirstUse(dispatcher))


# What the solvers compile in, or lay out their arrays by.
_OUTSIDE = ("hyperparameters.py", "method/energy.py", "method/grid.py", "method/problem.py")


def source_fingerprint() -> int:
    """Return a number that changes with every line of the solvers, and of the constants that they compile in.

    An entry point that closes over it is compiled anew when any kernel changes, not only its own file.
    """
    solvers = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in [*sorted(solvers.rglob("*.py")), *(solvers.parent / name for name in _OUTSIDE)]:
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest()[:4], "big")
