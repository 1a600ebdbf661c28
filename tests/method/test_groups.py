"""The choice of the groups of a batch that are mixed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_comixup.method.groups import Groups, all_groups, count_groups, draw_groups, partition


def _draw(batch_size: int, partition_size: int, share: float, seed: int) -> Groups:
    return draw_groups(batch_size, partition_size, share, lambda: np.random.default_rng(seed))


@pytest.mark.parametrize("batch_size", [1, 19, 20, 21, 45])
def test_groups_cover_a_batch_in_order(batch_size: int) -> None:
    groups = partition(batch_size, 20)
    assert [row for group in groups for row in range(batch_size)[group]] == list(range(batch_size))
    assert len(groups) == count_groups(batch_size, 20) == len(all_groups(batch_size, 20).mixed)


def test_a_share_of_one_draws_nothing() -> None:
    def fail() -> np.random.Generator:
        raise AssertionError

    assert draw_groups(50, 20, 1.0, fail) == Groups(50, 20, (0, 1, 2))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("batch_size", [20, 90])
def test_each_group_is_mixed_in_its_share_of_batches(share: float, batch_size: int) -> None:
    drawn = [_draw(batch_size, 20, share, seed).mixed for seed in range(2000)]
    count = count_groups(batch_size, 20)
    assert {len(groups) for groups in drawn} <= {int(share * count), int(share * count) + 1}
    for group in range(count):
        assert np.mean([group in groups for groups in drawn]) == pytest.approx(share, abs=0.04)
    assert all(list(groups) == sorted(set(groups)) for groups in drawn)


def test_rows_are_those_of_the_mixed_groups() -> None:
    groups, part = Groups(11, 3, (1, 3)), torch.arange(22).view(11, 2)
    rows = [3, 4, 5, 9, 10]
    assert torch.equal(groups.take(part), part[rows])
    assert np.array_equal(groups.take_array(part.numpy()), part.numpy()[rows])
    assert all_groups(11, 3).take(part) is part


def test_rows_go_back_to_their_places() -> None:
    groups, part = Groups(11, 3, (1, 3)), torch.arange(1, 23).view(11, 2)
    whole = groups.scatter(groups.take(part))
    assert torch.equal(whole[[3, 4, 5, 9, 10]], part[[3, 4, 5, 9, 10]])
    assert not whole[[0, 1, 2, 6, 7, 8]].any()
    assert all_groups(11, 3).scatter(part) is part
