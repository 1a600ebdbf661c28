"""The step in every precision, compared with a loop in the authors' order."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor, nn

from lightning_comixup import CoMixup
from tests.tiny import CLASSES, Tiny, fit, largest_difference, make_loader, make_network


class OptedOut(nn.Module):
    """A network whose head disables autocast, so that its backward must not be cast either."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(64, 32)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        features = torch.tanh(self.body(inputs.flatten(1)))
        with torch.autocast("cpu", enabled=False):
            logits: Tensor = self.head(features.float())
        return logits


@pytest.mark.parametrize("network", [make_network, OptedOut])
def test_bfloat16_autocast(network: Any) -> None:
    module = Tiny(network())
    start = copy.deepcopy(module)
    fit(module, max_epochs=1, precision="bf16-mixed")
    optimizer = start.configure_optimizers()
    for (inputs, targets), (mixed, soft) in zip(make_loader(), module.seen, strict=True):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = start.comixup_clean_loss(inputs, targets)
        loss.backward()
        with torch.autocast("cpu", torch.bfloat16):
            loss = start.comixup_loss(start(mixed), soft)
        loss.backward()
        optimizer.step()
    assert largest_difference(module, start) == 0


@pytest.mark.parametrize(("precision", "dtype"), [("bf16-true", torch.bfloat16), ("64-true", torch.float64)])
def test_true_precisions(precision: Any, dtype: torch.dtype) -> None:
    module = Tiny()
    start = copy.deepcopy(module).to(dtype)
    fit(module, max_epochs=1, precision=precision)
    optimizer = start.configure_optimizers()
    for (inputs, targets), (mixed, soft) in zip(make_loader(), module.seen, strict=True):
        assert mixed.dtype == dtype
        assert soft.dtype == torch.float32
        optimizer.zero_grad()
        start.comixup_clean_loss(inputs.to(dtype), targets).backward()
        start.comixup_loss(start(mixed), soft).backward()
        optimizer.step()
    assert largest_difference(module, start) == 0


@pytest.mark.parametrize("init_scale", [2.0**10, 2.0**40])
def test_float16_with_a_grad_scaler(init_scale: float) -> None:
    """With the second scale, the first steps overflow and are skipped, and the scale is lowered."""

    def scaler() -> torch.amp.GradScaler:
        return torch.amp.GradScaler("cpu", init_scale=init_scale, backoff_factor=2.0**-8)

    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, CLASSES))
    module = Tiny(network)
    start = copy.deepcopy(module)
    plugin = MixedPrecision("16-mixed", "cpu", scaler())
    fit(module, CoMixup(seed=0), plugins=[plugin])
    optimizer, own = start.configure_optimizers(), scaler()
    skipped = 0
    for (inputs, targets), (mixed, soft) in zip([*make_loader()] * 2, module.seen, strict=True):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            loss = start.comixup_clean_loss(inputs, targets)
        own.scale(loss).backward()
        with torch.autocast("cpu", torch.float16):
            loss = start.comixup_loss(start(mixed), soft)
        own.scale(loss).backward()
        own.step(optimizer)
        before = own.get_scale()
        own.update()
        skipped += own.get_scale() < before
    assert largest_difference(module, start) == 0
    assert plugin.scaler is not None
    assert plugin.scaler.get_scale() == own.get_scale()
    assert (skipped > 0) == (init_scale > 2.0**20)


def test_a_loss_that_is_not_finite_does_not_count_as_overflow() -> None:
    class Poisoned(Tiny):
        def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
            return super().comixup_clean_loss(inputs, targets) * float("nan")

    plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu"))
    with pytest.raises(ValueError, match="saliency must be finite"):
        fit(Poisoned(), CoMixup(seed=0, num_classes=CLASSES), plugins=[plugin])
