"""The control with random saliency, compared with its hash in NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lightning_comixup import Random
from lightning_comixup.method.grid import pool_to_grid, upsample_nearest
from lightning_comixup.saliencies.random_cells import _multiples, _scramble
from tests.saliencies.choices import SHAPES, make_inputs


def _splitmix(state: int) -> Any:
    """Yield the numbers of SplitMix64, as Python integers."""
    mask = 2**64 - 1
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
        yield mixed ^ (mixed >> 31)


def _reference(values: NDArray[Any], seed: int, cells: int) -> NDArray[np.float64]:
    """Return the numbers of the cells for one input, in any memory layout."""
    bits = values.reshape(-1).view(np.int64 if values.dtype == np.float64 else np.int32)
    factors = _splitmix(0)
    state = (sum(int(bit) * next(factors) for bit in bits) + seed) % 2**64
    # Subtract the increment that `_splitmix` adds, so that the state itself is scrambled.
    drawn = _splitmix(next(_splitmix((state - 0x9E3779B97F4A7C15) % 2**64)))
    uniform = [((next(drawn) >> 40) + 1) / 2**24 for _ in range(cells)]
    return np.array([-math.log(value) for value in uniform])


def test_the_numbers_are_those_of_splitmix64() -> None:
    """The first three numbers for the state 1234567 are those published with implementations of the algorithm."""
    found = _scramble(1234567 + _multiples(3, torch.device("cpu"))).numpy().view(np.uint64).tolist()
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    draws = _splitmix(1234567)
    assert found == [next(draws) for _ in range(3)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if math.prod(shape) < 1000])
@pytest.mark.parametrize(("seed", "side"), [(0, 8), (7, 3)])
def test_maps_are_exponential_numbers_of_a_hash(
    shape: tuple[int, ...], dtype: torch.dtype, seed: int, side: int
) -> None:
    inputs = make_inputs(shape, size=3, dtype=dtype)
    lattice = [min(size, side) for size in shape[1:]]
    drawn = [_reference(values, seed, math.prod(lattice)) for values in inputs.numpy()]
    cells = torch.from_numpy(np.stack(drawn)).view(3, *lattice).to(dtype)
    expected = upsample_nearest(cells, shape[1:])
    torch.testing.assert_close(Random(seed, side)(None, inputs, None), expected, rtol=1e-6, atol=1e-7)


def test_another_seed_or_input_has_another_map() -> None:
    inputs = make_inputs((3, 16, 16))
    changed = inputs.clone()
    changed[0, 0, 0, 0] += 1e-6
    maps = [
        Random()(None, inputs, None)[0],
        Random(seed=1)(None, inputs, None)[0],
        Random()(None, inputs, None)[1],
        Random()(None, changed, None)[0],
        Random()(None, inputs.flip(3), None)[0],
        Random()(None, inputs.flip(1), None)[0],
    ]
    for position, first in enumerate(maps):
        for other in maps[position + 1 :]:
            assert float((first - other).abs().mean()) > 0.5


def test_inputs_of_few_values_have_different_maps() -> None:
    """The inputs have equal numbers of zeros and ones, so the sums of their values are the same."""
    draws = torch.Generator().manual_seed(0)
    inputs = torch.stack([torch.randperm(64, generator=draws) < 32 for _ in range(200)]).float().view(200, 1, 8, 8)
    maps = Random()(None, inputs, None)
    assert len(torch.unique(maps[:, 0, 0])) == 200


def test_the_position_in_the_batch_does_not_matter() -> None:
    inputs = make_inputs((3, 9, 8))
    assert torch.equal(Random()(None, inputs.flip(0), None), Random()(None, inputs, None).flip(0))


def test_numbers_are_exponential_and_vary_between_the_cells_of_the_label_grid() -> None:
    maps = Random()(None, make_inputs((1, 32, 32), size=500), None)
    lattice = maps[:, ::4, ::4]
    assert torch.equal(upsample_nearest(lattice, (32, 32)), maps)
    assert float(lattice.mean()) == pytest.approx(1, abs=0.02)
    assert float(lattice.std()) == pytest.approx(1, abs=0.03)
    assert float((lattice > math.log(2)).float().mean()) == pytest.approx(0.5, abs=0.01)
    neighbours = torch.corrcoef(torch.stack([lattice[:, :, 1:].flatten(), lattice[:, :, :-1].flatten()]))
    assert abs(float(neighbours[0, 1])) < 0.02
    cells = pool_to_grid(maps, (4, 4))
    assert float(cells.std()) == pytest.approx(0.5, abs=0.02)
