"""Fixtures for the robustness tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lightning_comixup.solvers.descent import best_descent
from lightning_comixup.solvers.dispatch import warm_up


@pytest.fixture(scope="session", autouse=True)
def compiled_solver() -> Iterator[None]:
    """Compile the solver before cases are timed, and check that no case compiles it again."""
    warm_up("descent", inform=lambda _: None)
    before = len(best_descent._dispatcher.signatures)
    yield
    assert len(best_descent._dispatcher.signatures) == before
