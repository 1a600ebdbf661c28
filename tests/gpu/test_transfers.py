"""Transfers between host and GPU in a step, as the driver reports them: one small copy each way."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from lightning_comixup import CoMixup, comixup_batch, compute_saliency
from tests.gpu.loop import DEVICE, fit_on_gpu
from tests.tiny import Tiny

_BYTES_OF_A_NUMBER = 4  # for one value that is logged or passed to a kernel


def _bytes_to_host(batch_size: int) -> int:
    """Return the bytes of sixteen means and a peak's position for each input, and of the lowest and highest target."""
    return batch_size * (16 * 4 + 8) + 2 * 8


def _bytes_to_device(batch_size: int, most: int) -> int:
    """Return the bytes of two labels per cell, and of the indices and shares of up to `most` inputs per output."""
    return batch_size * (2 * 16 * 8 + most * (8 + 4))


@contextmanager
def _waits() -> Iterator[list[str]]:
    """Record each operation that makes the host wait for the GPU."""
    found: list[str] = []
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode(before)
    found += [str(warning.message) for warning in caught if "synchronizing CUDA operation" in str(warning.message)]


def _copies(traced: profile, path: Path) -> dict[str, list[int]]:
    """Return the bytes of each copy, by direction."""
    traced.export_chrome_trace(str(path))
    found: dict[str, list[int]] = {"DtoH": [], "HtoD": []}
    for event in json.loads(path.read_text(encoding="utf-8"))["traceEvents"]:
        for direction, sizes in found.items():
            if event.get("cat") == "gpu_memcpy" and direction in event["name"]:
                sizes.append(int(event["args"]["bytes"]))
    return found


def _arguments(spatial: tuple[int, ...]) -> list[Tensor]:
    """Return a batch whose saliency consists of small whole numbers, so that sums are exact in any order."""
    draws = torch.Generator().manual_seed(0)
    inputs = torch.rand(45, 3, *spatial, generator=draws)
    return [inputs, torch.arange(45) % 4, torch.randint(1, 4096, (45, *spatial), generator=draws).float()]


@pytest.mark.parametrize("precision", ["highest", "medium"])
@pytest.mark.parametrize("spatial", [(16, 16), (9, 13), (40,), (8, 6, 5)], ids=str)
def test_a_batch_is_mixed_as_on_the_cpu(spatial: tuple[int, ...], precision: str) -> None:
    arguments = _arguments(spatial)
    expected = comixup_batch(*arguments, num_classes=4, generator=0, compatibility_window=1)
    torch.set_float32_matmul_precision(precision)  # Lightning advises users to lower it
    found = comixup_batch(*(a.to(DEVICE) for a in arguments), num_classes=4, generator=0, compatibility_window=1)
    assert all(torch.equal(a.cpu(), b) for a, b in zip(found[:3], expected[:3], strict=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_inputs_of_any_dtype(dtype: torch.dtype) -> None:
    inputs, targets, saliency = _arguments((16, 16))
    expected = comixup_batch(inputs.to(dtype), targets, saliency, num_classes=4, generator=0, compatibility_window=1)
    arguments = [part.to(DEVICE) for part in (inputs.to(dtype), targets, saliency)]
    found = comixup_batch(*arguments, num_classes=4, generator=0, compatibility_window=1)
    assert found.inputs.dtype == dtype
    torch.testing.assert_close(found.inputs.cpu(), expected.inputs)
    assert torch.equal(found.targets.cpu(), expected.targets)


def test_generators_and_saliency() -> None:
    """A generator on the GPU is reproducible, and the saliency matches that of the CPU."""
    inputs, targets, _ = _arguments((8, 8))
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.Flatten(), nn.Linear(144, 4))
    expected = compute_saliency(network, inputs, targets)
    network, inputs, targets = network.to(DEVICE), inputs.to(DEVICE), targets.to(DEVICE)
    saliency = compute_saliency(network, inputs, targets)
    torch.testing.assert_close(saliency.cpu(), expected, rtol=1e-4, atol=1e-8)
    draws = [torch.Generator(DEVICE).manual_seed(seed) for seed in (0, 0, 1)]
    mixed = [comixup_batch(inputs, targets, saliency, num_classes=4, generator=draw).inputs for draw in draws]
    assert torch.equal(mixed[0], mixed[1])
    assert not torch.equal(mixed[0], mixed[2])


@pytest.mark.parametrize("spatial", [(16, 16), (9, 13)], ids=str)
def test_a_batch_crosses_once_each_way(spatial: tuple[int, ...], tmp_path: Path) -> None:
    arguments = [argument.to(DEVICE) for argument in _arguments(spatial)]
    comixup_batch(*arguments, num_classes=4, generator=0)
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA]
    with profile(activities=activities) as traced, _waits() as waits:
        mixed = comixup_batch(*arguments, num_classes=4, generator=0)
        torch.cuda.synchronize()
    most = int((mixed.mixing_weights > 0).sum(1).max())  # most inputs in one output
    copies = _copies(traced, tmp_path / "trace.json")
    assert copies["DtoH"] == [_bytes_to_host(45)]
    assert copies["HtoD"] == [_bytes_to_device(45, most)]
    assert len(waits) == 2


class _Watched(CoMixup):
    """Records the operations in the callback's own hooks that make the host wait."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(seed=0, **settings)
        self.waits: list[list[str]] = []

    def on_train_batch_start(self, *arguments: Any) -> None:
        with _waits() as waits:
            super().on_train_batch_start(*arguments)
        self.waits.append(waits)

    def on_before_backward(self, *arguments: Any) -> None:
        with _waits() as waits:
            super().on_before_backward(*arguments)
        self.waits[-1] += waits

    def on_train_batch_end(self, *arguments: Any) -> None:
        with _waits() as waits:
            super().on_train_batch_end(*arguments)
        self.waits[-1] += waits


@pytest.mark.parametrize("mixing", [{}, {"clean_weight": 0.0}, {"grid_size": 3}], ids=str)
def test_a_step_waits_twice(mixing: dict[str, Any]) -> None:
    callback = _Watched(**mixing)
    fit_on_gpu(Tiny(), callback)
    assert len(callback.waits) == 8
    assert all(len(waits) == 2 for waits in callback.waits[1:])  # the first step also creates tensors for logged values


class _Traced(pl.Callback):
    """Runs the profiler during the last three steps."""

    def __init__(self) -> None:
        self.profile = profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA])

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == 5:
            self.profile.start()

    def on_train_end(self, *_: Any) -> None:
        torch.cuda.synchronize()
        self.profile.stop()


def test_only_cells_and_shares_cross_in_a_step(tmp_path: Path) -> None:
    """Nothing else is copied, except the batches themselves, which have 64 numbers and a target per sample."""
    tracer = _Traced()
    fit_on_gpu(Tiny(), tracer, CoMixup(seed=0))
    copies = _copies(tracer.profile, tmp_path / "trace.json")
    to_host = [size for size in copies["DtoH"] if size > _BYTES_OF_A_NUMBER]
    assert to_host == [_bytes_to_host(size) for size in (16, 16, 2)]
    to_device = [size for size in copies["HtoD"] if size > 2 * _BYTES_OF_A_NUMBER]
    batches = [part for size in (16, 2) for part in (4 * size * 64, 8 * size)]  # the first was already copied
    assert all(size in to_device for size in batches)
    for size in batches:
        to_device.remove(size)
    # Two labels per cell, and the indices and shares of up to all inputs of the group.
    for found, size in zip(to_device, (16, 16, 2), strict=True):
        assert found in [_bytes_to_device(size, most) for most in range(1, size + 1)]


def test_mixing_takes_little_memory() -> None:
    """Mixing 256 images of 3 × 224 × 224 needs at most three times their own memory in addition."""
    images = torch.rand(256, 3, 224, 224, device=DEVICE)
    targets, saliency = torch.arange(256, device=DEVICE) % 10, images.mean(1)
    comixup_batch(images[:20], targets[:20], saliency[:20], num_classes=10)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    comixup_batch(images, targets, saliency, num_classes=10, generator=0)
    on_top = torch.cuda.max_memory_allocated() - before
    size = images.numel() * images.element_size()
    assert size <= on_top <= 3 * size
