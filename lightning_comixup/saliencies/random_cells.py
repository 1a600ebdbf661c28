"""A random saliency, used as a control."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_comixup.method.grid import upsample_nearest
from lightning_comixup.saliencies.input_saliency import InputSaliency, nan_where_not_finite
from lightning_comixup.validation import check_count

# The constants of SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014), as
# signed integers for PyTorch: the increment, then shifts and factors that scramble the bits.
_INCREMENT = 0x9E3779B97F4A7C15 - 2**64
_SCRAMBLING = ((30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64))
_LAST_SHIFT = 31
# A float32 has this many binary digits, so this many bits of each number are used.
_DIGITS = 24


@dataclass(frozen=True)
class Random(InputSaliency):
    """Exponential noise on a coarse lattice: a control that varies between the cells as real saliency does.

    Noise at single positions would be unsuitable, since its means over the cells are nearly equal. Each input's map is
    a hash of its own values and the seed: it needs neither a generator nor any state. The same input has the same map
    in a resumed run or a different batch. An input that is augmented again has a new one.

    >>> inputs = torch.rand(2, 3, 8, 8)
    >>> maps = Random(seed=1)(None, inputs, None)
    >>> torch.equal(maps[1:], Random(seed=1)(None, inputs[1:], None))
    True

    Source: SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).

    Attributes:
        seed: An integer of at least 0. Each seed gives different maps.
        lattice: Cells of the lattice along each side, fewer where a side is shorter. By default, two or more of them
            lie along each side of a cell of the default label grid, 4.
    """

    seed: int = 0
    lattice: int = 8

    def __post_init__(self) -> None:
        """Check both numbers.

        Raises:
            TypeError: If one is not an integer.
            ValueError: If one is too low, or too large.
        """
        check_count("seed", self.seed, lowest=0, advice="Leave it out for the default, 0.")
        check_count("lattice", self.lattice, advice="Leave it out for the default, 8.")
        object.__setattr__(self, "seed", int(self.seed))
        object.__setattr__(self, "lattice", int(self.lattice))

    def compute(self, inputs: Tensor) -> Tensor:
        """Draw the maps."""
        spatial = tuple(inputs.shape[2:])
        lattice = tuple(min(size, self.lattice) for size in spatial)
        states = _scramble(_hash(inputs) + self.seed)
        cells = torch.Size(lattice).numel()
        bits = _scramble(states.unsqueeze(1) + _multiples(cells, inputs.device))
        # From 2**-24 to 1, so that the logarithm is finite.
        uniform = (_shift(bits, 64 - _DIGITS) + 1).to(inputs.dtype) * 2.0**-_DIGITS
        maps = upsample_nearest(uniform.log().neg().view(-1, *lattice), spatial)
        return maps + nan_where_not_finite(inputs)


def _hash(inputs: Tensor) -> Tensor:
    """Return a hash of the values of each input, (B,) int64, independent of memory layout and device.

    It is the sum of the values' bits, each multiplied by a number for its position. Integer sums wrap around, so their
    order does not matter.
    """
    bits = inputs.view(torch.int64 if inputs.dtype == torch.float64 else torch.int32).flatten(1)
    return (bits * _scramble(_multiples(bits.shape[1], inputs.device))).sum(1)


def _multiples(count: int, device: torch.device) -> Tensor:
    return torch.arange(1, count + 1, device=device) * _INCREMENT


def _scramble(numbers: Tensor) -> Tensor:
    """Scramble int64 numbers by the steps of SplitMix64, so that each bit depends on all bits of the original."""
    for bits, factor in _SCRAMBLING:
        numbers = (numbers ^ _shift(numbers, bits)) * factor
    return numbers ^ _shift(numbers, _LAST_SHIFT)


def _shift(numbers: Tensor, bits: int) -> Tensor:
    """Shift int64 numbers to the right as if they were unsigned."""
    return (numbers >> bits) & (2 ** (64 - bits) - 1)
