from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lightning_comixup.method.grid import upsample_nearest
from lightning_comixup.method.mixing import MixingIndices, mix_inputs, mix_targets
from lightning_comixup.soft_targets.targets import one_hot_targets


def _indices(batch: int, grid: tuple[int, ...], halves: bool) -> MixingIndices:
    draws = torch.Generator().manual_seed(0)
    first = torch.randint(0, batch, (batch, *grid), generator=draws)
    second = torch.randint(0, batch, (batch, *grid), generator=draws)
    second = torch.where(torch.rand(first.shape, generator=draws) < 0.3, second, first) if halves else first
    return MixingIndices(
        torch.stack([first, second]), torch.arange(batch).repeat(batch, 1), _weights(first, second), halves
    )


def _masks(indices: MixingIndices, spatial: tuple[int, ...]) -> Tensor:
    """Return the dense masks (M, N, *spatial)."""
    index = torch.arange(indices.labels.shape[1]).reshape(1, -1, *(1,) * len(spatial))
    first, second = (upsample_nearest(part, spatial).unsqueeze(1) == index for part in indices.labels)
    return (first.float() + second.float()) / 2


def _weights(first: Tensor, second: Tensor) -> Tensor:
    both = torch.cat([first.flatten(1), second.flatten(1)], 1)
    return torch.stack([(both == i).float().mean(1) for i in range(len(first))], 1)


@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize(
    ("spatial", "grid"), [((9,), (4,)), ((8, 12), (4, 4)), ((5, 7), (2, 3)), ((4, 5, 6), (2, 2, 3))]
)
def test_mixed_inputs_are_the_dense_product(spatial: tuple[int, ...], grid: tuple[int, ...], halves: bool) -> None:
    inputs = torch.rand(6, 3, *spatial, dtype=torch.float64)
    indices = _indices(6, grid, halves)
    dense = (_masks(indices, spatial).double().unsqueeze(2) * inputs.unsqueeze(0)).sum(1)
    torch.testing.assert_close(mix_inputs(inputs, indices), dense, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_dtype_stays_and_single_cells_are_exact(dtype: torch.dtype) -> None:
    inputs = torch.rand(6, 3, 8, 8).to(dtype)
    inputs[0] = torch.finfo(dtype).tiny * torch.finfo(dtype).eps  # the smallest subnormal, half of which is zero
    indices = _indices(6, (4, 4), True)
    mixed = mix_inputs(inputs, indices)
    assert mixed.dtype == dtype
    masks = _masks(indices, (8, 8))
    for output in range(6):
        for source in range(6):
            whole = masks[output, source] == 1
            assert torch.equal(mixed[output][:, whole], inputs[source][:, whole])


def test_channels_last_stays() -> None:
    inputs = torch.rand(6, 3, 8, 8).to(memory_format=torch.channels_last)
    indices = _indices(6, (4, 4), True)
    mixed = mix_inputs(inputs, indices)
    assert mixed.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(mixed, mix_inputs(inputs.contiguous(), indices))


def test_large_batches_are_mixed_in_chunks_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = torch.rand(21, 3, 8, 8)
    indices = _indices(21, (4, 4), True)
    at_once = mix_inputs(inputs, indices)
    monkeypatch.setattr("lightning_comixup.method.mixing._SMALL", 0)
    assert torch.equal(mix_inputs(inputs, indices), at_once)


def test_inputs_are_left_as_they_are() -> None:
    inputs = torch.rand(6, 3, 8, 8)
    copy = inputs.clone()
    mix_inputs(inputs, _indices(6, (4, 4), True))
    assert torch.equal(inputs, copy)


def test_no_array_over_pairs_of_outputs_and_inputs_is_built() -> None:
    """According to PyTorch, mixing 64 inputs allocates memory for a few batches, not for 64."""
    inputs = torch.rand(64, 3, 96, 96)
    indices = _indices(64, (4, 4), True)
    size = inputs.numel() * inputs.element_size()
    with torch.profiler.profile(profile_memory=True, activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        mix_inputs(inputs, indices)
    live = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    assert size <= peak <= 3 * size


def test_targets_are_mixed_by_the_weights() -> None:
    indices = _indices(6, (4, 4), True)
    targets = torch.tensor([0, 1, 2, 2, 1, 0])
    soft = mix_targets(one_hot_targets(targets, 3), indices)
    assert soft.dtype == torch.float32
    torch.testing.assert_close(soft.sum(1), torch.ones(6))
    torch.testing.assert_close(soft[:, 2], indices.mixing_weights[:, 2] + indices.mixing_weights[:, 3])


def test_targets_are_not_rounded_by_autocast() -> None:
    indices = _indices(6, (5, 5), True)
    targets = torch.softmax(torch.randn(6, 3), 1)
    expected = mix_targets(targets, indices)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = mix_targets(targets, indices)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


def test_targets_of_any_width_are_mixed_in_chunks_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    indices = _indices(21, (4, 4), True)
    targets = torch.rand(21, 2, 5, dtype=torch.float64)
    expected = (indices.mixing_weights.double() @ targets.flatten(1)).view(21, 2, 5)
    for small in (1 << 20, 21 * 10 * 4, 0):
        monkeypatch.setattr("lightning_comixup.method.mixing._SMALL", small)
        torch.testing.assert_close(mix_targets(targets, indices), expected)
    torch.testing.assert_close(mix_targets(targets[:, 0, 0], indices), mix_targets(targets, indices)[:, 0, 0])
    assert mix_targets(torch.rand(21, 0), indices).shape == (21, 0)


def test_a_nan_reaches_only_the_outputs_that_take_its_input() -> None:
    indices = _indices(6, (2, 2), False)
    targets = torch.eye(6)
    targets[2] = torch.nan
    assert torch.equal(mix_targets(targets, indices).isnan().any(1), indices.mixing_weights[:, 2] > 0)
