"""The saliency of a pass at low resolution, compared with blocks averaged one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_comixup import LowResolution, compute_saliency
from tests.pretended_device import DEVICE, OnDevice, pretend_device
from tests.saliencies.choices import CLASSES, SHAPES, AnySize, make_inputs


def _blocks(size: int, factor: int) -> list[list[int]]:
    """Return the positions of each block, for as few blocks of at most `factor` positions as possible."""
    count = -(-size // factor)
    return [[place for place in range(size) if place * count // size == block] for block in range(count)]


def _shrink(inputs: Tensor, factor: int) -> Tensor:
    sides = [_blocks(size, factor) for size in inputs.shape[2:]]
    small = np.zeros((*inputs.shape[:2], *(len(side) for side in sides)))
    for index in np.ndindex(small.shape[2:]):
        block = inputs.double().numpy()
        for axis, (side, place) in enumerate(zip(sides, index, strict=True), start=2):
            block = np.take(block, side[place], axis)
        small[(slice(None), slice(None), *index)] = block.mean(tuple(range(2, inputs.ndim)))
    return torch.from_numpy(small)


def _enlarge(maps: Tensor, spatial: tuple[int, ...], factor: int) -> Tensor:
    for axis, size in enumerate(spatial, start=1):
        owner = [block for block, places in enumerate(_blocks(size, factor)) for _ in places]
        maps = maps.index_select(axis, torch.tensor(owner))
    return maps


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("factor", [2, 3, 4, 100])
def test_blocks_are_averaged_and_their_saliency_repeated(shape: tuple[int, ...], factor: int) -> None:
    inputs, targets, network = make_inputs(shape), torch.arange(4) % CLASSES, AnySize(shape[0])
    small = _shrink(inputs, factor).float()
    torch.testing.assert_close(LowResolution(factor).shrink(inputs), small)
    expected = _enlarge(compute_saliency(network, small, targets), shape[1:], factor)
    torch.testing.assert_close(LowResolution(factor)(network, inputs, targets), expected)


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize("factor", range(1, 6))
def test_no_block_is_larger_than_the_factor(size: int, factor: int) -> None:
    lengths = [len(block) for block in _blocks(size, factor)]
    assert sum(lengths) == size
    assert 1 <= min(lengths) <= max(lengths) <= factor
    assert LowResolution(factor).shrink(torch.zeros(1, 1, size)).shape == (1, 1, len(lengths))


def test_a_factor_of_one_is_the_saliency_itself() -> None:
    inputs, targets, network = make_inputs((3, 9, 8)), torch.arange(4) % CLASSES, AnySize(3)
    assert torch.equal(LowResolution(1)(network, inputs, targets), compute_saliency(network, inputs, targets))
    assert torch.equal(LowResolution(1).shrink(inputs), inputs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_means_are_rounded_once(dtype: torch.dtype) -> None:
    """In float16 the sum of these inputs would be infinite, and in bfloat16 each dimension would be rounded."""
    inputs = (30000 + 5000 * make_inputs((2, 6, 9))).to(dtype)
    small = LowResolution(3).shrink(inputs)
    assert small.dtype == dtype
    assert torch.equal(small, _shrink(inputs, 3).to(dtype))


def test_soft_targets() -> None:
    inputs, targets, network = make_inputs((3, 8, 8)), torch.arange(4) % CLASSES, AnySize(3)
    rows = torch.nn.functional.one_hot(targets, CLASSES).float()
    expected = LowResolution()(network, inputs, targets)
    torch.testing.assert_close(LowResolution()(network, inputs, rows), expected)


def test_nothing_crosses_to_the_host_or_back() -> None:
    inputs = make_inputs((3, 9, 8))
    with pretend_device() as device:
        moved = inputs.to(DEVICE)
        with device.recording() as crossings:
            small = LowResolution().shrink(moved)
            large = LowResolution().enlarge(small[:, 0], (9, 8))
        assert isinstance(large, OnDevice)
        maps = large.twin
    assert not (crossings.reads or crossings.to_host or crossings.to_device)
    torch.testing.assert_close(maps, LowResolution().enlarge(LowResolution().shrink(inputs)[:, 0], (9, 8)))
