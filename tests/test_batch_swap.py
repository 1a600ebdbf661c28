from __future__ import annotations

from typing import Any

from lightning_comixup.batch_swap import BatchSwap


class Strategy:
    """Stands for a strategy: only its `training_step` matters here."""

    def training_step(self, *args: Any) -> Any:
        return args


def test_only_the_batch_named_is_swapped_and_only_once() -> None:
    strategy, swap = Strategy(), BatchSwap()
    swap.install(strategy)  # type: ignore[arg-type]
    held, mixed = (1,), (2,)
    swap.replace(held, mixed)
    assert strategy.training_step(held, 5) == (mixed, 5)
    assert strategy.training_step(held, 5) == (held, 5)
    swap.replace(held, mixed)
    other = (3,)
    assert strategy.training_step(other) == (other,)


def test_another_wrapper_is_put_back() -> None:
    strategy, swap = Strategy(), BatchSwap()
    other = lambda *args: "other tool"  # noqa: E731
    vars(strategy)["training_step"] = other
    swap.install(strategy)  # type: ignore[arg-type]
    assert strategy.training_step() == "other tool"
    swap.remove()
    assert vars(strategy)["training_step"] is other


def test_removing_leaves_nothing_and_may_be_repeated() -> None:
    strategy, swap = Strategy(), BatchSwap()
    swap.install(strategy)  # type: ignore[arg-type]
    swap.remove()
    swap.remove()
    assert not vars(strategy)
