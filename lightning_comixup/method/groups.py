"""The groups of a batch: inputs that are optimised together, and which of the groups are mixed."""

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
    mixed: tuple[int, ...]  # the groups that are mixed, in order; the others are left as they are

    def mixed_slices(self) -> list[slice]:
        """Return the rows of each group that is mixed."""
        groups = partition(self.batch_size, self.partition_size)
        return [groups[index] for index in self.mixed]

    def are_all_mixed(self) -> bool:
        """Whether no group is left as it is."""
        return len(self.mixed) == count_groups(self.batch_size, self.partition_size)

    def take(self, part: Tensor) -> Tensor:
        """Return the rows (B, ...) of the groups that are mixed: slices of neighbours, so that no index travels."""
        if self.are_all_mixed():
            return part
        pieces = [part[rows] for rows in self.mixed_slices()]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def spread(self, rows: Tensor) -> Tensor:
        """Return what belongs to the rows of the groups that are mixed as rows of the whole batch, 0 for the others."""
        if self.are_all_mixed():
            return rows
        whole = rows.new_zeros(self.batch_size, *rows.shape[1:])
        slices = self.mixed_slices()
        for place, part in zip(slices, rows.split([place.stop - place.start for place in slices]), strict=True):
            whole[place] = part
        return whole

    def take_array(self, part: NDArray[Any]) -> NDArray[Any]:
        """Return these rows of an array, of a class of its own as well: a masked one keeps its mask."""
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
    """Draw which groups of a batch are mixed: each with the same probability, `share`.

    Their number is the share of all of them, rounded up or down by chance, so that it hardly varies from batch to
    batch: 2 or 3 of 5 for a share of 0.5.

    Args:
        batch_size: Number of inputs B.
        partition_size: Size of a group.
        share: Above 0, at most 1; 1 draws nothing.
        make_draws: Makes what draws the number, and which.
    """
    if share == 1:
        return all_groups(batch_size, partition_size)
    count, draws = count_groups(batch_size, partition_size), make_draws()
    number = int(share * count + draws.random())
    return Groups(batch_size, partition_size, tuple(sorted(draws.permutation(count)[:number].tolist())))
