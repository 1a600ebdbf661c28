from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest

from lightning_comixup.training.batch_replacement import BatchReplacement


class Strategy:
    """Replaces a strategy, of which only `training_step` matters here."""

    def training_step(self, *args: Any) -> Any:
        return args


def test_a_batch_is_replaced_in_every_call_until_it_is_forgotten() -> None:
    strategy, replacement = Strategy(), BatchReplacement()
    replacement.install(strategy)  # type: ignore[arg-type]
    original, mixed = (1,), (2,)
    replacement.replace(original, mixed, nullcontext)
    assert strategy.training_step(original, 5) == (mixed, 5)
    assert strategy.training_step(original, 5) == (mixed, 5)
    replacement.forget()
    assert strategy.training_step(original, 5) == (original, 5)


def test_a_batch_that_never_comes_is_reported() -> None:
    strategy, replacement = Strategy(), BatchReplacement()
    replacement.install(strategy)  # type: ignore[arg-type]
    replacement.replace((1,), (2,), nullcontext)
    with pytest.raises(RuntimeError, match="found another: the mixed batch would be lost"):
        strategy.training_step((3,))


def test_a_wrapper_that_came_later_stays() -> None:
    strategy, replacement = Strategy(), BatchReplacement()
    replacement.install(strategy)  # type: ignore[arg-type]
    ours = strategy.training_step
    later = lambda *args: ("later", *ours(*args))  # noqa: E731
    vars(strategy)["training_step"] = later
    replacement.remove()
    assert strategy.training_step(1) == ("later", 1)


def test_copies_and_pickles_keep_nothing_from_the_run() -> None:
    strategy, replacement = Strategy(), BatchReplacement()
    replacement.install(strategy)  # type: ignore[arg-type]
    replacement.replace((1,), (2,), nullcontext)
    assert vars(pickle.loads(pickle.dumps(replacement))) == vars(BatchReplacement())


def test_another_wrapper_is_restored() -> None:
    strategy, replacement = Strategy(), BatchReplacement()
    other = lambda *args: "other tool"  # noqa: E731
    vars(strategy)["training_step"] = other
    replacement.install(strategy)  # type: ignore[arg-type]
    assert strategy.training_step() == "other tool"
    replacement.remove()
    assert vars(strategy)["training_step"] is other


def test_removing_leaves_nothing_behind_and_may_be_repeated() -> None:
    strategy, replacement = Strategy(), BatchReplacement()
    replacement.install(strategy)  # type: ignore[arg-type]
    replacement.remove()
    replacement.remove()
    assert not vars(strategy)


def test_each_step_runs_in_a_new_context_even_if_the_batch_is_changed_in_place() -> None:
    entered: list[str] = []

    @contextmanager
    def prepare() -> Iterator[None]:
        entered.append("in")
        yield
        entered.append("out")

    strategy, replacement, batch = Strategy(), BatchReplacement(), [1]
    replacement.install(strategy)  # type: ignore[arg-type]
    replacement.replace(batch, batch, prepare)
    assert strategy.training_step(batch, 5) == (batch, 5)
    assert strategy.training_step(batch, 5) == (batch, 5)
    assert entered == ["in", "out"] * 2
    replacement.forget()
    strategy.training_step(batch, 5)
    assert len(entered) == 4
