"""What the robustness tests share."""

from __future__ import annotations

import pytest

from lightning_comixup.labeling import warm_up


@pytest.fixture(scope="session", autouse=True)
def compiled_solver() -> None:
    """Compile the solver before cases are timed."""
    warm_up("exact")
