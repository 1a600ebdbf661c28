"""The groups of a batch, whose inputs are optimised together, and the choice of groups to mix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Groups(NamedTuple):
    """The groups of a batch, in order; the last may be smaller."""

    batch_size: int
    partition_size: int
    mixed: tuple[int, ...]  # the groups that are mixed, in order; the others stay unchanged

    def mixed_slices(self) -> list[slice]:
        """Return the rows of each group that is mixed."""
        groups = partition(self.batch_size, self.partition_size)
        return [groups[index] for index in self.mixed]

    def are_all_mixed(self) -> bool:
        """Whether every group is mixed."""
        return len(self.mixed) == count_groups(self.batch_size, self.partition_size)

    def take(self, part: Tensor) -> Tensor:
        """Return the rows (B, ...) of the mixed groups, by slicing, so that no index is copied to the device."""
        if self.are_all_mixed():
            return part
        pieces = [part[rows] for rows in self.mixed_slices()]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def scatter(self, rows: Tensor) -> Tensor:
        """Return rows of the mixed groups as rows of the whole batch, with 0 for the other groups."""
        if self.are_all_mixed():
            return rows
        whole = rows.new_zeros(self.batch_size, *rows.shape[1:])
        slices = self.mixed_slices()
        for place, part in zip(slices, rows.split([place.stop - place.start for place in slices]), strict=True):
            whole[place] = part
        return whole

    def take_array(self, part: NDArray[Any]) -> NDArray[Any]:
        """Return the rows of the mixed groups of an array. Subclasses are kept: a masked array keeps its mask."""
        return part if self.are_all_mixed() else part[np.r_[tuple(self.mixed_slices())]]


def partition(batch_size: int, partition_size: int) -> list[slice]:
    """Return the groups of a batch, in order; the last may be smaller."""
    return [slice(i, min(i + partition_size, batch_size)) for i in range(0, batch_size, partition_size)]


def count_groups(batch_size: int, partition_size: int) -> int:
    """Return the number of groups of a batch."""
    return -(-batch_size // partition_size)


def all_groups(batch_size: int, partition_size: int) -> Groups:
    """Return the groups of a batch, all of them mixed."""
    return Groups(batch_size, partition_size, tuple(range(count_groups(batch_size, partition_size))))


def draw_groups(
    batch_size: int, partition_size: int, share: float, make_draws: Callable[[], np.random.Generator]
) -> Groups:
    """Draw the groups of a batch that are mixed, each with the same probability, `share`.

    Their number is this share of all groups, randomly rounded up or down, so that it hardly varies from batch to
    batch: 2 or 3 of 5 for a share of 0.5.

    Args:
        batch_size: Number of inputs B.
        partition_size: Size of a group.
        share: Above 0 and at most 1. With 1 nothing is drawn.
        make_draws: Makes the generator that draws the number of groups and the groups themselves.
    """
    if share == 1:
        return all_groups(batch_size, partition_size)
    count, draws = count_groups(batch_size, partition_size), make_draws()
    number = int(share * count + draws.random())
    return Groups(batch_size, partition_size, tuple(sorted(draws.permutation(count)[:number].tolist())))
