"""Random draws of the method: the generator convention, the prior and the starting labelings."""

from __future__ import annotations

from numbers import Integral

import numpy as np
import torch
from numpy.typing import NDArray

# At this α, one input already gets the whole draw. Below it, NumPy 1.24 never returns.
_LEAST_ALPHA = 1e-6

# The convention for `generator` throughout the package. A NumPy generator is used directly, and advances. A torch
# generator draws one number as a seed, and advances (on a GPU this waits for the device). A non-negative int is a seed:
# the same int gives the same draws. None means fresh entropy. The global generators of NumPy and torch are never used.
GeneratorLike = np.random.Generator | torch.Generator | int | None


def as_generator(generator: GeneratorLike) -> np.random.Generator:
    """Return a NumPy generator, by the convention of `GeneratorLike`.

    Raises:
        TypeError: If `generator` is of any other type.
        ValueError: If it is a negative int.
    """
    if isinstance(generator, np.random.Generator):
        return generator
    if isinstance(generator, torch.Generator):
        device = generator.device
        return np.random.default_rng(int(torch.randint(2**62, (), generator=generator, device=device)))
    if generator is None:
        return np.random.default_rng()
    is_seed = isinstance(generator, Integral) and not isinstance(generator, bool)
    if is_seed and generator >= 0:
        return np.random.default_rng(int(generator))
    error = ValueError if is_seed else TypeError
    raise error(
        "generator must be a numpy.random.Generator, a torch.Generator, an int from 0 or None, found "
        f"{generator!r}. Give a seed, or numpy.random.default_rng(seed)."
    )


def draw_prior(generator: np.random.Generator, inputs: int, alpha: float) -> NDArray[np.float64]:
    """Draw a ~ Dirichlet(α, …, α) over the inputs of a group: (N,)."""
    return generator.dirichlet(np.full(inputs, max(alpha, _LEAST_ALPHA)))


def draw_starts(generator: np.random.Generator, restarts: int, inputs: int, grid: tuple[int, ...]) -> NDArray[np.int32]:
    """Draw uniformly random labelings, one output per input: (restarts, N, *grid)."""
    return generator.integers(0, inputs, size=(restarts, inputs, *grid), dtype=np.int32)
