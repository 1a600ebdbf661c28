"""Properties of `comixup_batch` for any batch. See `effort` for the number of batches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor

from lightning_comixup import MixedBatch, comixup_batch
from tests.robustness.effort import cases
from tests.robustness.strategies import Batch, batches


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(number)
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _nothing_changes(batch: Batch) -> Iterator[None]:
    """Check that the arguments, including their memory layout, and the global generators do not change."""
    tensors = (batch.inputs, batch.targets, batch.saliency)
    copies = [tensor.clone() for tensor in tensors]
    described = [_description(tensor) for tensor in tensors]
    generators = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"]
    yield
    assert [_description(tensor) for tensor in tensors] == described
    for tensor, copy in zip(tensors, copies, strict=True):
        assert torch.equal(tensor, copy)
    assert torch.equal(torch.get_rng_state(), generators[0])
    assert (np.random.get_state(legacy=False)["state"]["key"] == generators[1]).all()


def _description(tensor: Tensor) -> tuple[Any, ...]:
    # `_version` counts writes to the memory.
    where = tensor.data_ptr(), tensor.storage_offset(), tensor.stride()
    return (*where, tensor.dtype, tensor.requires_grad, tensor._version)


def _check_masks(mixed: MixedBatch, batch: Batch) -> None:
    size, spatial = batch.inputs.shape[0], batch.inputs.shape[2:]
    partition = min(batch.hyperparameters.get("partition_size", 20), size)
    groups = [min(partition, size - start) for start in range(0, size, partition)]
    assert [mask.shape[:2] for mask in mixed.masks] == [(group, group) for group in groups]
    for mask in mixed.masks:
        assert mask.dtype == np.float32
        assert mask.ndim == 2 + len(spatial)
        assert set(np.unique(mask)) <= {0.0, 0.5, 1.0}
        assert (mask.sum(1) == 1).all()
        if len(mask) == 1:
            assert (mask == 1).all()


def _check_weights(mixed: MixedBatch, batch: Batch) -> None:
    """Check that the weights are the shares of the masks, and that the targets are mixed by these shares."""
    size = len(batch.inputs)
    assert mixed.mixing_weights.dtype == mixed.targets.dtype == torch.float32
    assert mixed.targets.shape == (size, batch.num_classes)
    shares = torch.block_diag(*(torch.from_numpy(mask).flatten(2).mean(2) for mask in mixed.masks))
    torch.testing.assert_close(mixed.mixing_weights, shares)
    torch.testing.assert_close(mixed.mixing_weights.sum(1), torch.ones(size))
    rows = batch.targets
    if rows.ndim == 1:
        rows = torch.nn.functional.one_hot(rows.long(), batch.num_classes)
    torch.testing.assert_close(mixed.targets, mixed.mixing_weights @ rows.float())
    torch.testing.assert_close(mixed.targets.sum(1), mixed.mixing_weights @ rows.float().sum(1))


def _pixels(labels: np.ndarray[Any, Any], spatial: tuple[int, ...]) -> Tensor:
    for axis, side in enumerate(spatial, start=1):
        labels = np.take(labels, np.arange(side) * labels.shape[axis] // side, axis=axis)
    return torch.from_numpy(labels)


def _check_inputs(mixed: MixedBatch, batch: Batch) -> None:
    """Check that each pixel is an exact copy from one input, or the mean of two."""
    inputs = batch.inputs
    assert (mixed.inputs.dtype, mixed.inputs.device, mixed.inputs.shape) == (inputs.dtype, inputs.device, inputs.shape)
    assert mixed.inputs.isfinite().all()
    start = 0
    for mask in mixed.masks:
        group = inputs[start : start + len(mask)]
        found = mixed.inputs[start : start + len(mask)]
        start += len(mask)
        taken = mask > 0
        first = _pixels(taken.argmax(1), tuple(inputs.shape[2:])).unsqueeze(1).expand(found.shape)
        last = _pixels(len(mask) - 1 - taken[:, ::-1].argmax(1), tuple(inputs.shape[2:])).unsqueeze(1)
        a, b = group.gather(0, first), group.gather(0, last.expand(found.shape))
        single = first == last
        assert torch.equal(found[single], a[single])
        torch.testing.assert_close(found[~single], (0.5 * a.double() + 0.5 * b.double()).to(a.dtype)[~single])


@given(batch=batches())
@cases(short=150, long=6000)
def test_any_batch_is_mixed_as_promised(batch: Batch) -> None:
    with _nothing_changes(batch), _threads(1):
        mixed = comixup_batch(**batch.arguments())
    _check_masks(mixed, batch)
    _check_weights(mixed, batch)
    _check_inputs(mixed, batch)
    with _threads(3):
        again = comixup_batch(**batch.arguments())
    assert all(torch.equal(a, b) for a, b in zip(mixed[:3], again[:3], strict=True))
    assert all((a == b).all() for a, b in zip(mixed.masks, again.masks, strict=True))


# Hyper-parameters whose values the authors' cuts can handle, which compute with 32-bit integers.
_MILD = {"alpha", "compatibility_weight", "compatibility_window", "compatibility_stride", "sweeps", "thresholding"}


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="gco-wrapper has no wheels for Python >= 3.12")
@given(batch=batches(most=12))
@cases(short=15, long=400)
def test_the_authors_cuts_mix_as_promised(batch: Batch) -> None:
    chosen = {name: value for name, value in batch.hyperparameters.items() if name in _MILD}
    coarse = {"grid_size": 1 if min(batch.inputs.shape[2:]) == 1 else 2, "solver": "pygco"}
    batch = Batch(**(vars(batch) | {"hyperparameters": chosen | coarse}))
    with _nothing_changes(batch):
        mixed = comixup_batch(**batch.arguments())
    _check_masks(mixed, batch)
    _check_weights(mixed, batch)
    _check_inputs(mixed, batch)


def _with_value(tensor: Tensor, value: float) -> Tensor:
    changed = tensor.clone()
    changed[-1] = value
    return changed


def _bad_tensors(batch: Batch) -> list[tuple[str, Any]]:
    inputs, saliency, size = batch.inputs, batch.saliency, len(batch.inputs)
    never: list[Any] = [None, 3, "x", [1.0], inputs.tolist(), saliency.float().numpy()]
    bad: list[tuple[str, Any]] = [(name, value) for name in ("inputs", "targets", "saliency") for value in never]
    for name, tensor in (("inputs", inputs), ("saliency", saliency)):
        wrong = [torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2]
        bad += [(name, tensor.float().to(dtype)) for dtype in wrong]
        bad += [(name, tensor.to_sparse()), (name, tensor[:0]), (name, tensor.unsqueeze(-1)), (name, tensor[0])]
    bad += [("saliency", _with_value(saliency, value)) for value in (float("nan"), float("inf"), -1.0)]
    bad += [("saliency", saliency.to("meta")), ("targets", batch.targets.to("meta"))]
    labels = torch.zeros(size, dtype=torch.int64)
    bad += [("targets", labels.to_sparse()), ("targets", labels.unsqueeze(0).expand(2, size)), ("targets", labels[1:])]
    bad += [("targets", _with_value(labels, value)) for value in (-1, batch.num_classes, 2**62, -(2**63))]
    bad += [("targets", labels.to(dtype)) for dtype in (torch.float32, torch.complex64)]
    rows = torch.full((size, batch.num_classes), 1 / batch.num_classes)
    bad += [("targets", _with_value(rows, value)) for value in (float("nan"), float("inf"), -1.0, 3.0)]
    return [*bad, ("targets", torch.cat([rows, rows], 1)), ("targets", rows[:, :0]), ("targets", rows.to_sparse())]


_NO_NUMBERS: list[Any] = [None, "1", 1j, [1], float("nan"), float("inf"), -1, -1e-30, 10**400, True]
_NO_COUNTS: list[Any] = [None, "1", 1j, [1], float("nan"), 1.0, 0, -1, 2**63, 10**400, True]
_NUMBERS = ["alpha", "smoothness", "diversity", "penalty_threshold", "prior_weight", "compatibility_weight"]
_COUNTS = ["partition_size", "compatibility_window", "compatibility_stride", "sweeps", "restarts"]


def _bad_settings(batch: Batch) -> list[tuple[str, Any]]:
    spatial = batch.inputs.shape[2:]
    grids = [*_NO_COUNTS, (), "rand", (1,) * (len(spatial) + 1), (0,) * len(spatial), max(spatial) + 1, 10**30]
    bad = [(name, value) for name in _NUMBERS for value in _NO_NUMBERS]
    bad += [(name, value) for name in _COUNTS for value in _NO_COUNTS]
    bad += [("grid_size", value) for value in grids if value != [1]]  # a list of one side is valid in one dimension
    bad += [(name, value) for name in ("thresholding", "solver") for value in (None, "", "HARD", 1, ["hard"])]
    bad += [("resolve_duplicates", value) for value in (None, 1, "yes")]
    bad += [("num_classes", value) for value in [*_NO_COUNTS, batch.num_classes + 1] if value is not None]
    bad += [("generator", value) for value in ("0", 1.0, True, -1, np.random.RandomState(0), [1])]
    return [*bad, ("alpha", 0), ("compatibility_weight", 1.5), ("beta", 0.3)]


@given(batch=batches(most=5))
@cases(short=30, long=300)
def test_wrong_arguments_are_refused(batch: Batch) -> None:
    """Every batch is tested with more than two hundred wrong arguments."""
    with _nothing_changes(batch):
        for name, value in _bad_tensors(batch) + _bad_settings(batch):
            arguments = batch.arguments() | {name: value}
            if name == "num_classes":
                arguments["targets"] = torch.full((len(batch.inputs), batch.num_classes), 1 / batch.num_classes)
            with pytest.raises((ValueError, TypeError)) as caught:
                comixup_batch(**arguments)
            assert len(str(caught.value)) > 20
