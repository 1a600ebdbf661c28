from __future__ import annotations

import builtins
import sys
from typing import Any

import numpy as np
import pytest

from lightning_comixup import energy, optimize_masks
from lightning_comixup.method.energy import compute_unary
from lightning_comixup.method.grid import pool_to_grid
from tests.golden_groups import load_golden_groups
from tests.random_problems import random_group

needs_gco = pytest.mark.skipif(sys.version_info >= (3, 12), reason="gco-wrapper has no wheels for Python >= 3.12")


@needs_gco
@pytest.mark.slow
def test_every_golden_labeling_is_reproduced_cell_for_cell() -> None:
    groups = load_golden_groups()
    assert len(groups) == 76
    for group in groups:
        masks = optimize_masks(
            group.unary,
            group.compatibility,
            prior=group.prior,
            initial_labeling=group.start,
            solver="pygco",
            **group.hyperparameters,
        )
        assert (masks == group.masks).all(), group.name


@needs_gco
@pytest.mark.parametrize("grid", [(5,), (1, 1), (2, 3), (2, 2, 2)])
def test_any_number_of_dimensions(grid: tuple[int, ...]) -> None:
    unary, matrix, prior = random_group(np.random.default_rng(0), 4, grid)
    masks = optimize_masks(unary, matrix, prior=prior, generator=0, solver="pygco")
    assert masks.shape == (4, 4, *grid)
    assert (masks.sum(1) == 1).all()


@needs_gco
def test_the_start_of_lowest_energy_is_kept() -> None:
    unary, matrix, prior = random_group(np.random.default_rng(0), 10, (4, 4))

    def reached(restarts: int) -> float:
        masks = optimize_masks(unary, matrix, prior=prior, generator=0, solver="pygco", restarts=restarts)
        return energy(masks, unary, matrix, prior=prior)

    assert reached(6) < reached(1)


def test_a_missing_backend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without_gco(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "gco":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_gco)
    unary, matrix, _ = random_group(np.random.default_rng(0), 3, (2, 2))
    with pytest.raises(ImportError, match=r"lightning-comixup\[pygco\]"):
        optimize_masks(unary, matrix, solver="pygco")


def test_unary_of_the_stored_saliency_is_the_authors() -> None:
    import torch

    groups = [group for group in load_golden_groups() if group.saliency is not None]
    assert len(groups) == 30
    for group in groups:
        pooled = pool_to_grid(torch.from_numpy(group.saliency), (group.grid, group.grid))
        np.testing.assert_allclose(compute_unary(pooled.double().numpy()), group.unary, rtol=1e-5, atol=1e-8)


def test_compatibility_of_the_stored_saliency_is_the_authors() -> None:
    import torch

    from lightning_comixup.method.compatibility import compute_compatibility, locate_peaks

    for group in load_golden_groups():
        if group.saliency is None:
            continue
        places, shape = locate_peaks(torch.from_numpy(group.saliency), 8, 1)
        peaks = np.stack(np.unravel_index(places.numpy(), shape), axis=-1)
        found = compute_compatibility(peaks, group.compatibility_weight)
        np.testing.assert_allclose(found, group.compatibility, rtol=1e-5, atol=1e-8)
