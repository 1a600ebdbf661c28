from __future__ import annotations

from lightning_comixup.seeding import BatchDraws, BatchPlace


def _first(rank: int, epoch: int, batch_idx: int, seed: int = 0) -> tuple[float, float, float]:
    draws = BatchDraws(seed, BatchPlace(rank, epoch, batch_idx))
    return draws.decisions("mix").random(), draws.decisions("grid").random(), draws.masks().random()


def test_draws_depend_on_the_place_alone() -> None:
    assert _first(0, 3, 7) == _first(0, 3, 7)


def test_places_and_streams_differ() -> None:
    found = [_first(0, 0, 0), _first(0, 0, 1), _first(0, 1, 0), _first(0, 0, 0, seed=1)]
    assert len({draw for draws in found for draw in draws}) == 12


def test_ranks_take_the_same_decisions_and_draw_other_masks() -> None:
    first, second = _first(0, 1, 2), _first(1, 1, 2)
    assert first[:2] == second[:2]
    assert first[2] != second[2]
