"""What the robustness tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lightning_comixup.solvers.dispatch import warm_up
from lightning_comixup.solvers.exact import best_descent


@pytest.fixture(scope="session", autouse=True)
def compiled_solver() -> Iterator[None]:
    """Compile the solver before cases are timed; no case may have it compiled anew."""
    warm_up("exact")
    before = len(best_descent.signatures)  # type: ignore[attr-defined]
    yield
    assert len(best_descent.signatures) == before  # type: ignore[attr-defined]
