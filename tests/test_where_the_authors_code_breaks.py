"""Each input on which the authors' code fails, and the result defined for it here."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lightning_comixup import comixup_batch, compute_saliency
from lightning_comixup.planning import NonFiniteSaliencyError


def _finite(*tensors: torch.Tensor) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


@pytest.mark.parametrize("dead", [1, 5])
def test_saliency_maps_that_are_zero(dead: int) -> None:
    saliency = torch.rand(5, 8, 8, generator=torch.Generator().manual_seed(0))
    saliency[:dead] = 0
    mixed = comixup_batch(torch.rand(5, 1, 8, 8), torch.arange(5), saliency, num_classes=5, generator=0)
    assert _finite(*mixed[:3])
    torch.testing.assert_close(mixed.targets.sum(1), torch.ones(5))


def test_a_dead_network_gives_zero_saliency_and_still_mixes() -> None:
    hidden = nn.Linear(64, 4)
    nn.init.constant_(hidden.bias, -1e6)
    network = nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), nn.Linear(4, 3))
    inputs, targets = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
    saliency = compute_saliency(network, inputs, targets)
    assert (saliency == 0).all()
    assert _finite(*comixup_batch(inputs, targets, saliency, num_classes=3, generator=0)[:3])


def test_a_group_whose_peaks_coincide() -> None:
    saliency = torch.zeros(6, 16, 16)
    saliency[:, 3, 4] = 1
    mixed = comixup_batch(torch.rand(6, 1, 16, 16), torch.arange(6), saliency, num_classes=6, generator=0)
    assert _finite(*mixed[:3])


@pytest.mark.parametrize("size", [1, 2, 3, 23, 41])
def test_a_last_smaller_batch(size: int) -> None:
    inputs = torch.rand(size, 1, 8, 8)
    mixed = comixup_batch(inputs, torch.zeros(size).long(), torch.rand(size, 8, 8), num_classes=2, generator=0)
    assert mixed.inputs.shape == inputs.shape
    if size == 1:
        assert torch.equal(mixed.inputs, inputs)


@pytest.mark.parametrize("spatial", [(8, 24), (24, 8), (7, 11), (30,), (6, 5, 9)])
def test_sides_that_differ_or_that_the_grid_does_not_divide(spatial: tuple[int, ...]) -> None:
    inputs = torch.rand(9, 2, *spatial)
    mixed = comixup_batch(inputs, torch.arange(9), torch.rand(9, *spatial), num_classes=9, generator=0)
    assert mixed.inputs.shape == inputs.shape
    pixels = torch.isclose(mixed.inputs.unsqueeze(1), inputs.unsqueeze(0)).all(2).any(1)
    assert pixels.float().mean() > 0.3  # pixels of whole cells stay where they were


def test_axes_are_not_swapped() -> None:
    """Each input is salient in one corner of a wide map, and the masks must use it in that corner."""
    saliency = torch.full((2, 4, 8), 1e-3)
    saliency[0, :2, :4] = 1
    saliency[1, 2:, 4:] = 1
    masks = comixup_batch(
        torch.rand(2, 1, 4, 8), torch.arange(2), saliency, num_classes=2, generator=0, grid_size=(2, 2), smoothness=0.0
    ).masks[0]
    assert (masks[:, 0, 0, 0] == 1).all()
    assert (masks[:, 1, 1, 1] == 1).all()


def test_the_device_is_the_inputs() -> None:
    inputs = torch.rand(4, 1, 8, 8)
    mixed = comixup_batch(inputs, torch.arange(4), torch.rand(4, 8, 8), num_classes=4, generator=0)
    assert mixed.inputs.device == mixed.targets.device == mixed.mixing_weights.device == inputs.device


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_saliency_that_is_not_finite(value: float) -> None:
    saliency = torch.rand(4, 8, 8)
    saliency[2, 1, 1] = value
    with pytest.raises(NonFiniteSaliencyError, match="in 1 of 4 maps"):
        comixup_batch(torch.rand(4, 1, 8, 8), torch.arange(4), saliency, num_classes=4)


def test_a_generator_makes_it_reproducible() -> None:
    inputs, saliency = torch.rand(25, 1, 8, 8), torch.rand(25, 8, 8)
    runs = [comixup_batch(inputs, torch.arange(25), saliency, num_classes=25, generator=3) for _ in range(2)]
    assert torch.equal(runs[0].inputs, runs[1].inputs)
    np.testing.assert_array_equal(runs[0].masks[0], runs[1].masks[0])


def test_the_callers_tensors_do_not_change() -> None:
    arguments = (torch.rand(5, 1, 8, 8), torch.eye(5), torch.rand(5, 8, 8))
    copies = [argument.clone() for argument in arguments]
    comixup_batch(*arguments, generator=0)
    assert all(torch.equal(a, b) for a, b in zip(arguments, copies, strict=True))
