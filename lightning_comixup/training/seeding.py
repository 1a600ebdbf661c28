"""Stateless random numbers of a training run: those of any batch follow from its position in the run."""

from __future__ import annotations

import os
import secrets
from typing import Literal, NamedTuple

import numpy as np

# The streams of one batch. Every run's draws depend on their order, so only append to it.
_STREAMS = ("mix", "grid", "masks", "groups")
_SEED_BITS = 62  # fits a checkpoint's plain int and a signed 64-bit broadcast


class BatchPosition(NamedTuple):
    """The position of a batch in the run."""

    rank: int
    epoch: int
    batch_idx: int


def choose_seed() -> int:
    """Return the seed of `lightning.seed_everything` if it was called, else fresh entropy."""
    found = os.environ.get("PL_GLOBAL_SEED", "")
    return int(found) if found.isdigit() else secrets.randbits(_SEED_BITS)


class BatchDraws(NamedTuple):
    """The generators of one batch. Every call creates a new one."""

    seed: int
    position: BatchPosition

    def decisions(self, name: Literal["mix", "grid", "groups"]) -> np.random.Generator:
        """Return the generator of a decision that all ranks share: whether to mix, the random grid, or the groups."""
        return _generator(self.seed, _STREAMS.index(name), 0, self.position.epoch, self.position.batch_idx)

    def masks(self) -> np.random.Generator:
        """Return the generator of a rank's own draws: priors and starting labelings."""
        return _generator(self.seed, _STREAMS.index("masks"), *self.position)


def _generator(*entropy: int) -> np.random.Generator:
    # Philox: a counter-based generator, as good from any seed.
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
