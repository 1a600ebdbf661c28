from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from lightning_comixup import energy, optimize_masks
from lightning_comixup.hyperparameters import Hyperparameters
from lightning_comixup.method.problem import Problem
from lightning_comixup.solvers import dispatch
from lightning_comixup.solvers.dispatch import solve_groups
from tests.random_problems import random_group


@pytest.mark.parametrize("inputs", [1, 2, 3, 20])
@pytest.mark.parametrize("grid", [(5,), (4, 4), (3, 2), (2, 2, 2)])
@pytest.mark.parametrize("thresholding", ["hard", "soft"])
def test_masks_take_halves_and_sum_to_one(inputs: int, grid: tuple[int, ...], thresholding: Any) -> None:
    unary, matrix, prior = random_group(np.random.default_rng(0), inputs, grid)
    masks = optimize_masks(unary, matrix, prior=prior, generator=0, thresholding=thresholding)
    assert masks.shape == (inputs, inputs, *grid)
    assert masks.dtype == np.float32
    assert set(np.unique(masks)) <= {0.0, 0.5, 1.0}
    assert (masks.sum(1) == 1).all()


def test_half_labels_are_used() -> None:
    unary, matrix, prior = random_group(np.random.default_rng(0), 20, (4, 4))
    assert (optimize_masks(unary, matrix, prior=prior, generator=0) == 0.5).any()


def test_permuting_the_inputs_permutes_the_masks() -> None:
    """One sweep is made, because later ones choose half labels by index among equally used inputs."""
    draws = np.random.default_rng(5)
    unary, matrix, prior = random_group(draws, 9, (4, 4))
    start = draws.integers(0, 9, size=(9, 4, 4))
    masks = optimize_masks(unary, matrix, prior=prior, initial_labeling=start, sweeps=1)
    order = draws.permutation(9)
    place = np.argsort(order)
    permuted = optimize_masks(
        unary[order], matrix[np.ix_(order, order)], prior=prior[order], initial_labeling=place[start], sweeps=1
    )
    assert (permuted == masks[:, order]).all()


def test_a_generator_repeats_and_another_differs() -> None:
    unary, matrix, _ = random_group(np.random.default_rng(0), 10, (4, 4))
    first, again, other = (optimize_masks(unary, matrix, generator=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_more_restarts_lower_the_energy() -> None:
    unary, matrix, prior = random_group(np.random.default_rng(0), 20, (4, 4))

    def reached(restarts: int) -> float:
        masks = optimize_masks(unary, matrix, prior=prior, generator=0, restarts=restarts)
        return energy(masks, unary, matrix, prior=prior)

    assert reached(16) < reached(1)


def test_an_initial_labeling_sets_the_number_of_outputs() -> None:
    unary, matrix, prior = random_group(np.random.default_rng(0), 6, (4, 4))
    masks = optimize_masks(unary, matrix, prior=prior, initial_labeling=np.zeros((3, 4, 4), int))
    assert masks.shape == (3, 6, 4, 4)


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    draws = np.random.default_rng(0)
    problems = []
    for inputs in (20, 20, 20, 7):
        unary, matrix, prior = random_group(draws, inputs, (4, 4))
        starts = draws.integers(0, inputs, size=(2, inputs, 4, 4), dtype=np.int32)
        problems.append(Problem(unary, matrix, prior, starts, Hyperparameters()))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = solve_groups(problems)
        torch.set_num_threads(3)
        together = solve_groups(problems)
    finally:
        torch.set_num_threads(before)
    for a, b in zip(alone, together, strict=True):
        assert (a.first == b.first).all()
        assert (a.second == b.second).all()
        assert a[2:] == b[2:]


def _make_problems(count: int) -> list[Problem]:
    draws = np.random.default_rng(0)
    problems = []
    for _ in range(count):
        unary, matrix, prior = random_group(draws, 6, (3, 3))
        start = draws.integers(0, 6, (1, 6, 3, 3)).astype(np.int32)
        problems.append(Problem(unary, matrix, prior, start, Hyperparameters()))
    return problems


def test_other_work_of_the_threads_is_not_waited_for() -> None:
    problems = _make_problems(2)
    before, goes_on = torch.get_num_threads(), threading.Event()
    try:
        torch.set_num_threads(2)
        busy = dispatch._pool(1, os.getpid()).submit(goes_on.wait, timeout=20)
        assert len(solve_groups(problems)) == 2
        assert not busy.done()
    finally:
        goes_on.set()
        torch.set_num_threads(before)


def test_without_other_threads_this_one_solves_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """This happens after the end of the main thread, when the interpreter accepts no more work for threads."""
    problems = _make_problems(3)
    before, ended = torch.get_num_threads(), ThreadPoolExecutor(1)
    ended.shutdown()
    monkeypatch.setattr(dispatch, "_pool", lambda workers, process: ended)
    try:
        torch.set_num_threads(2)
        assert len(solve_groups(problems)) == 3
    finally:
        torch.set_num_threads(before)


_LATE = """
import atexit
import numpy as np
import torch
from lightning_comixup import comixup_batch

def mix():
    images = torch.rand(40, 1, 8, 8)
    mixed = comixup_batch(images, torch.arange(40) % 3, images.mean(1), num_classes=3, generator=0)
    print(tuple(mixed.inputs.shape))

torch.set_num_threads(2)
atexit.register(mix)
"""


@pytest.mark.slow
def test_groups_are_solved_when_the_interpreter_ends() -> None:
    result = subprocess.run([sys.executable, "-c", _LATE], capture_output=True, text=True, timeout=300, check=True)
    assert result.stdout.strip() == "(40, 1, 8, 8)"


def test_a_group_that_takes_long_is_reported_once_with_what_to_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_PATIENCE", -1.0)
    monkeypatch.setattr(dispatch, "_LARGE", 0)
    dispatch._warn_once.cache_clear()
    unary, matrix, prior = random_group(np.random.default_rng(0), 6, (3, 3))
    with pytest.warns(RuntimeWarning, match=r"a group of 6 inputs on 3 × 3 cells .* Lower partition_size or grid_size"):
        optimize_masks(unary, matrix, prior=prior, generator=0)
    optimize_masks(unary, matrix, prior=prior, generator=0)  # a second warning would be an error
