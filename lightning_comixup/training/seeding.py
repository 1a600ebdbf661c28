"""Random numbers of a training run, drawn without state: those of any batch follow from its position in the run."""

from __future__ import annotations

import os
import secrets
from typing import Literal, NamedTuple

import numpy as np

# The streams of one batch. The order is part of every run's draws: append only.
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
    """The generators of one batch, each made anew whenever it is asked for."""

    seed: int
    position: BatchPosition

    def decisions(self, name: Literal["mix", "grid", "groups"]) -> np.random.Generator:
        """Return the generator of a decision that all ranks share: whether to mix, which random grid, which groups."""
        return _generator(self.seed, _STREAMS.index(name), 0, self.position.epoch, self.position.batch_idx)

    def masks(self) -> np.random.Generator:
        """Return the generator of a rank's own draws: priors and starting labelings."""
        return _generator(self.seed, _STREAMS.index("masks"), *self.position)


def _generator(*entropy: int) -> np.random.Generator:
    # Philox: a counter-based generator, as good from any seed.
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
