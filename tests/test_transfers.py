"""Transfers between host and device in a step: one small copy each way, and nothing else that waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.nn import functional as F

from lightning_comixup import CoMixup, comixup_batch
from tests.pretended_device import DEVICE, Crossings, OnDevice, PretendedDevice, pretend_device
from tests.tiny import Tiny, fit

_LABEL = _INDEX = _PLACE = 8  # bytes
_SHARE = _CELL = 4
_CHECKED = {"integer": 2 * 8, "soft": 3 * 4}  # the numbers that the check of the targets needs


def _bytes_to_host(batch_size: int, cells: int, kind: str) -> int:
    return batch_size * (_CELL * cells + _PLACE) + _CHECKED[kind]


def _bytes_to_device(batch_size: int, cells: int, most: int) -> int:
    return batch_size * (2 * _LABEL * cells + (_INDEX + _SHARE) * most)


def _check(crossings: Crossings, batch_size: int, cells: int, kind: str, mixing_weights: Tensor) -> None:
    most = int((mixing_weights > 0).sum(1).max())
    assert crossings.reads == []
    assert [count for _, count in crossings.to_host] == [_bytes_to_host(batch_size, cells, kind)]
    assert [count for _, count in crossings.to_device] == [_bytes_to_device(batch_size, cells, most)]
    assert most <= cells / 2


def _twin(tensor: Tensor) -> Tensor:
    assert isinstance(tensor, OnDevice)
    return tensor.twin


def _arguments(kind: str, spatial: tuple[int, ...]) -> list[Tensor]:
    draws = torch.Generator().manual_seed(0)
    inputs = torch.rand(45, 3, *spatial, generator=draws)
    targets = torch.randint(0, 4, (45,), generator=draws)
    saliency = torch.rand(45, *spatial, generator=draws)
    return [inputs, F.one_hot(targets, 4).float() if kind == "soft" else targets, saliency]


@pytest.mark.parametrize("kind", ["integer", "soft"])
@pytest.mark.parametrize("spatial", [(16, 16), (9, 13)])
def test_a_batch_crosses_once_each_way(kind: str, spatial: tuple[int, ...]) -> None:
    arguments = _arguments(kind, spatial)
    expected = comixup_batch(*arguments, num_classes=4, generator=0)
    with pretend_device() as device:
        moved = [argument.to(DEVICE) for argument in arguments]
        with device.recording() as crossings:
            found = comixup_batch(*moved, num_classes=4, generator=0)
    _check(crossings, 45, 16, kind, expected.mixing_weights)
    assert all(torch.equal(_twin(a), b) for a, b in zip(found[:3], expected[:3], strict=True))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.arange(45), r"lie in \[0, 4\), found 0 to 44"),
        (torch.full((45, 4), 0.3), "must sum to 1, found sums from 1.2 to 1.2"),
        (torch.full((45, 4), torch.nan), "must sum to 1, found sums from nan to nan"),
    ],
)
def test_bad_targets_are_named_after_the_copy(targets: Tensor, message: str) -> None:
    inputs, _, saliency = _arguments("integer", (16, 16))
    with pretend_device() as device:
        moved = [argument.to(DEVICE) for argument in (inputs, targets, saliency)]
        with device.recording() as crossings, pytest.raises(ValueError, match=message):
            comixup_batch(*moved, num_classes=4, generator=0)
    assert len(crossings.to_host) == 1
    assert crossings.to_device == []


class _Pretended(Accelerator):
    """Lets a Trainer train on the pretend device."""

    def setup_device(self, device: torch.device) -> None:
        pass

    def teardown(self) -> None:
        pass

    @staticmethod
    def parse_devices(devices: Any) -> Any:
        return devices

    @staticmethod
    def get_parallel_devices(devices: Any) -> Any:
        return [DEVICE]

    @staticmethod
    def auto_device_count() -> int:
        return 1

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def name() -> str:
        return "pretended"

    def get_device_stats(self, device: Any) -> dict[str, Any]:
        return {}


class _Recorded(CoMixup):
    """Records the transfers in its own hooks."""

    def __init__(self, device: PretendedDevice, **settings: Any) -> None:
        super().__init__(seed=0, **settings)
        self.device = device
        self.starts: list[Crossings] = []
        self.others: list[Crossings] = []

    def on_train_batch_start(self, *arguments: Any) -> None:
        with self.device.recording() as crossings:
            super().on_train_batch_start(*arguments)
        self.starts.append(crossings)

    def on_before_backward(self, *arguments: Any) -> None:
        with self.device.recording() as crossings:
            super().on_before_backward(*arguments)
        self.others.append(crossings)

    def on_train_batch_end(self, *arguments: Any) -> None:
        with self.device.recording() as crossings:
            super().on_train_batch_end(*arguments)
        self.others.append(crossings)


def _fit_on_device(module: Tiny, mixing: dict[str, Any]) -> _Recorded:
    with pretend_device() as device:
        callback = _Recorded(device, **mixing)
        fit(module, callback, accelerator=_Pretended(), devices=1, strategy=SingleDeviceStrategy(device=DEVICE))
    return callback


class _SoftTargets(Tiny):
    """Has targets (B, K) and uses the authors' loss."""

    comixup_loss_kind = "bce"

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        inputs, targets = batch
        rows = targets.unsqueeze(1) == torch.arange(5, device=targets.device)
        return [inputs, rows.float()]


@pytest.mark.parametrize("mixing", [{}, {"clean_weight": 0.0}, {"grid_size": 3}], ids=str)
@pytest.mark.parametrize("kind", [Tiny, _SoftTargets])
def test_a_step_crosses_once_each_way(kind: type[Tiny], mixing: dict[str, Any]) -> None:
    module, plain = kind(), kind()
    callback = _fit_on_device(module, mixing)
    cells = mixing.get("grid_size", 4) ** 2
    sizes = [16, 16, 16, 2] * 2
    first, *later = zip(callback.starts, sizes, strict=True)
    # When a value is logged for the first time, Lightning moves its numbers to the device one by one.
    first[0].to_device[1:] = [copy for copy in first[0].to_device[1:] if copy[1] > 1]
    for crossings, size in (first, *later):
        assert crossings.reads == []
        targets = "soft" if kind is _SoftTargets else "integer"
        # The first step of a run also checks whether its class probabilities are one-hot.
        once = _CELL if targets == "soft" and crossings is first[0] else 0
        assert [count for _, count in crossings.to_host] == [_bytes_to_host(size, cells, targets) + once]
        ((_, count),) = crossings.to_device
        assert count in [_bytes_to_device(size, cells, most) for most in range(1, size + 1)]
    assert len(callback.others) == 2 * len(sizes)
    assert all(crossings == Crossings() for crossings in callback.others)
    fit(plain, CoMixup(seed=0, **mixing))
    for found, expected in zip(module.seen, plain.seen, strict=True):
        assert all(torch.equal(_twin(a), b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: float(x.sum()),
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).all()),
        lambda x: x.cpu(),
        lambda x: x.to("cpu"),
        lambda x: x[x > 0.5],
        lambda x: x.nonzero(),
        lambda x: torch.equal(x, x),
        lambda x: x.unique(),
        lambda x: x[torch.arange(2)],
        lambda x: torch.ones(2).to(x.device),
        lambda x: torch.ones(2, device=x.device).copy_(torch.ones(2)),
        lambda x: torch.ones(2).copy_(x[:2]),
        lambda x: torch.tensor([1.0, 2.0], device=x.device),
        lambda x: torch.tensor(1.0, device=x.device),
    ],
)
def test_everything_that_waits_is_recorded(wait: Callable[[Tensor], Any]) -> None:
    """This tests the pretend device itself."""
    with pretend_device() as device:
        inputs = torch.rand(4).to(DEVICE)
        assert isinstance(inputs, OnDevice)
        with device.recording() as crossings:
            (inputs + 1).clone().mean()
        assert crossings == Crossings()
        with device.recording() as crossings:
            wait(inputs)
    assert len(crossings.reads) + len(crossings.to_host) + len(crossings.to_device) == 1


def test_other_ways_of_reading_are_refused() -> None:
    with pretend_device():
        inputs = torch.rand(4).to(DEVICE)
        for read in (inputs.numpy, inputs.tolist):
            with pytest.raises(RuntimeError, match="not supported for tensor subclasses"):
                read()
        with pytest.raises(AssertionError, match="made on the device from data of the host"):
            torch.unravel_index(inputs.long(), (2, 2))
