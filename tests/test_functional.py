from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_comixup import comixup_batch, energy
from lightning_comixup.hyperparameters import Hyperparameters
from tests.random_problems import blob_saliency


def _batch(size: int, spatial: tuple[int, ...] = (16, 16)) -> tuple[Tensor, Tensor, Tensor]:
    draws = np.random.default_rng(0)
    inputs = torch.from_numpy(draws.normal(size=(size, 3, *spatial))).float()
    saliency = torch.from_numpy(blob_saliency(draws, size, spatial)).float()
    return inputs, torch.from_numpy(draws.integers(0, 4, size=size)), saliency


@pytest.mark.parametrize("size", [1, 2, 19, 20, 21, 22, 45])
@pytest.mark.parametrize("spatial", [(40,), (16, 16), (9, 13), (8, 6, 5)])
def test_a_batch_of_any_size_and_dimension(size: int, spatial: tuple[int, ...]) -> None:
    inputs, targets, saliency = _batch(size, spatial)
    mixed = comixup_batch(inputs, targets, saliency, num_classes=4, generator=0)
    assert mixed.inputs.shape == inputs.shape
    assert mixed.targets.shape == (size, 4)
    assert mixed.targets.dtype == mixed.mixing_weights.dtype == torch.float32
    torch.testing.assert_close(mixed.targets.sum(1), torch.ones(size))
    torch.testing.assert_close(mixed.mixing_weights.sum(1), torch.ones(size))
    sizes = [20] * (size // 20) + [size % 20] * (size % 20 > 0)
    assert [mask.shape for mask in mixed.masks] == [(n, n, *(4,) * len(spatial)) for n in sizes]
    torch.testing.assert_close(mixed.targets, mixed.mixing_weights @ F.one_hot(targets, 4).float())


def test_nothing_is_mixed_across_groups_and_weights_are_the_masks() -> None:
    inputs, targets, saliency = _batch(45)
    mixed = comixup_batch(inputs, targets, saliency, num_classes=4, generator=0)
    expected = torch.block_diag(*(torch.from_numpy(mask).flatten(2).mean(2) for mask in mixed.masks))
    torch.testing.assert_close(mixed.mixing_weights, expected)
    assert (mixed.mixing_weights.count_nonzero(1) > 1).float().mean() > 0.5


def test_outputs_are_the_masks_applied() -> None:
    inputs, targets, saliency = _batch(20)
    mixed = comixup_batch(inputs, targets, saliency, num_classes=4, generator=0)
    masks = F.interpolate(torch.from_numpy(mixed.masks[0]), size=(16, 16), mode="nearest")
    torch.testing.assert_close(mixed.inputs, torch.einsum("mnhw,nchw->mchw", masks, inputs))


def test_a_single_sample_comes_back_unmixed() -> None:
    inputs, targets, saliency = _batch(1)
    mixed = comixup_batch(inputs, targets, saliency, num_classes=4, generator=0)
    assert torch.equal(mixed.inputs, inputs)
    assert torch.equal(mixed.targets, F.one_hot(targets, 4).float())
    assert mixed.mixing_weights.tolist() == [[1.0]]


def test_outputs_keep_what_is_salient() -> None:
    """The mixed images keep far more saliency than a random labeling, which keeps 1/N of it."""
    inputs, targets, saliency = _batch(20)
    mixed = comixup_batch(inputs, targets, saliency, num_classes=4, generator=0)
    share = F.avg_pool2d(saliency, 4)
    share = share / share.flatten(1).sum(1).reshape(-1, 1, 1)
    kept = float((torch.from_numpy(mixed.masks[0]) * share).sum()) / 20
    assert kept > 5 / 20


@pytest.mark.parametrize("kind", ["integer", "int32", "uint16", "one-hot", "soft", "double"])
def test_targets_of_every_kind(kind: str) -> None:
    inputs, targets, saliency = _batch(20)
    soft = torch.softmax(torch.randn(20, 4, generator=torch.Generator().manual_seed(0)), 1)
    given = {
        "integer": targets,
        "int32": targets.int(),
        "uint16": targets.to(torch.uint16),
        "one-hot": F.one_hot(targets, 4),
        "soft": soft,
        "double": soft.double(),
    }[kind]
    mixed = comixup_batch(inputs, given, saliency, num_classes=4, generator=0)
    rows = soft if kind in ("soft", "double") else F.one_hot(targets, 4).float()
    torch.testing.assert_close(mixed.targets, mixed.mixing_weights @ rows)
    assert mixed.targets.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_inputs_keep_their_dtype_and_memory_format(dtype: torch.dtype) -> None:
    inputs, targets, saliency = _batch(20)
    inputs = inputs.to(dtype, memory_format=torch.channels_last)
    mixed = comixup_batch(inputs, targets, saliency.to(dtype), num_classes=4, generator=0)
    assert mixed.inputs.dtype == dtype
    assert mixed.inputs.is_contiguous(memory_format=torch.channels_last)
    assert mixed.targets.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_default_dtype_does_not_matter(dtype: torch.dtype) -> None:
    arguments = _batch(20)
    expected = comixup_batch(*arguments, num_classes=4, generator=0)
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(dtype)
        found = comixup_batch(*arguments, num_classes=4, generator=0)
    finally:
        torch.set_default_dtype(before)
    assert all(torch.equal(a, b) for a, b in zip(found[:3], expected[:3], strict=True))
    assert found.mixing_weights.dtype == torch.float32


def test_autocast_does_not_matter() -> None:
    inputs, targets, saliency = _batch(20, (9, 13))
    expected = comixup_batch(inputs, targets, saliency * 1e-6, num_classes=4, generator=0)
    with torch.autocast("cpu", torch.float16):
        found = comixup_batch(inputs, targets, saliency * 1e-6, num_classes=4, generator=0)
    assert all(torch.equal(a, b) for a, b in zip(found[:3], expected[:3], strict=True))


class _Operations(TorchDispatchMode):
    """Records the name of each operation."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func._schema.name.removeprefix("aten::"))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("spatial", [(16, 16), (9, 13)])
def test_the_precision_of_matrix_products_does_not_matter(spatial: tuple[int, ...]) -> None:
    """No matrix product is used. If the user allows it, many processors round the factors to as few as eight bits."""
    with _Operations() as operations:
        comixup_batch(*_batch(45, spatial), num_classes=4, generator=0)
    assert "index_select" in operations.names
    assert not operations.names & {"mm", "bmm", "addmm", "baddbmm", "mv", "dot"}


def test_arguments_are_left_as_they_are() -> None:
    arguments = _batch(20)
    copies = [argument.clone() for argument in arguments]
    comixup_batch(*arguments, num_classes=4, generator=0)
    assert all(torch.equal(a, b) for a, b in zip(arguments, copies, strict=True))


def test_the_scale_of_the_saliency_does_not_matter() -> None:
    inputs, targets, saliency = _batch(20)
    one = comixup_batch(inputs, targets, saliency, num_classes=4, generator=0)
    scaled = comixup_batch(inputs, targets, saliency * 2**16, num_classes=4, generator=0)
    assert torch.equal(one.inputs, scaled.inputs)


def test_random_grids() -> None:
    inputs, targets, saliency = _batch(20)
    grids = {
        comixup_batch(inputs, targets, saliency, num_classes=4, generator=seed, grid_size="random").masks[0].shape[2:]
        for seed in range(20)
    }
    assert grids == {(2, 2), (4, 4), (8, 8), (16, 16)}


def test_hyperparameters_reach_the_solver() -> None:
    """A higher smoothness gives fewer edges on average. Without diversity, all outputs use the same inputs."""
    inputs, targets, saliency = _batch(20)

    def edges(smoothness: float) -> float:
        found = 0.0
        for seed in range(5):
            mixed = comixup_batch(inputs, targets, saliency, num_classes=4, generator=seed, smoothness=smoothness)
            found += float(sum(np.abs(np.diff(mixed.masks[0], axis=axis)).sum() for axis in (2, 3)))
        return found

    assert edges(2.0) < edges(0.32) < edges(0.0)
    alike = comixup_batch(inputs, targets, saliency, num_classes=4, generator=0, diversity=0.0)
    assert len(torch.unique(alike.mixing_weights, dim=0)) == 1


def test_energy_of_the_masks_is_low() -> None:
    inputs, targets, saliency = _batch(20)
    mixed = comixup_batch(inputs, targets, saliency, num_classes=4, generator=0)
    unary = -F.avg_pool2d(saliency, 4).double().numpy()
    unary /= -unary.reshape(20, -1).sum(1).reshape(-1, 1, 1)
    draws = np.random.default_rng(0)
    random = np.eye(20)[draws.integers(0, 20, size=(20, 4, 4))].transpose(0, 3, 1, 2)
    assert energy(mixed.masks[0], unary, np.eye(20)) < energy(random, unary, np.eye(20)) - 10


def test_defaults_are_the_authors() -> None:
    defaults = Hyperparameters()
    found = (defaults.alpha, defaults.smoothness, defaults.diversity, defaults.penalty_threshold, defaults.prior_weight)
    assert found == (2.0, 0.32, 1.0, 0.83, 0.05)
    assert (defaults.grid_size, defaults.partition_size, defaults.sweeps) == (4, 20, 4)
    assert (defaults.compatibility_weight, defaults.thresholding, defaults.resolve_duplicates) == (0.001, "hard", True)


@pytest.mark.parametrize("grid_size", [3, 4, 5])
def test_targets_never_exceed_one(grid_size: int) -> None:
    """Shares are rounded if the cell count is not a power of two or an output has three or more inputs of a class."""
    draws = torch.Generator().manual_seed(2)
    inputs = torch.rand(20, 1, 28, 28, generator=draws)
    saliency = torch.rand(20, 28, 28, generator=draws) ** 8
    for seed in range(20):
        mixed = comixup_batch(
            inputs, torch.zeros(20).long(), saliency, num_classes=2, generator=seed, grid_size=grid_size
        )
        assert mixed.targets.max() <= 1
        assert mixed.targets.min() >= 0
        torch.testing.assert_close(mixed.targets.sum(1), torch.ones(20))
        F.binary_cross_entropy(torch.full((20, 2), 0.5), mixed.targets)
