"""What `test_first_use` does not reach: Numba that was told not to compile."""

from __future__ import annotations

import numba
import pytest

from lightning_comixup.solvers.compiler.jit import entry_point


def test_what_cannot_run_uncompiled_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with pytest.raises(RuntimeError, match=r"must be compiled, found .* NUMBA_DISABLE_JIT set\. Unset it"):
        entry_point(lambda: 0)
