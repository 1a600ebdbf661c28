"""The saliencies on a GPU. They match those on the CPU, do not wait, and work in a Trainer."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lightning_comixup import CoMixup, LowResolution
from tests.gpu.loop import DEVICE, fit_on_gpu
from tests.saliencies.choices import ALL, SHAPES, WITHOUT_NETWORK, make_inputs, saliency_of
from tests.tiny import Tiny
from tests.training.test_low_resolution import make_network


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("saliency", ALL, ids=repr)
def test_maps_are_those_of_the_cpu(saliency: Any, shape: tuple[int, ...]) -> None:
    inputs = make_inputs(shape)
    found = saliency_of(saliency, inputs.to(DEVICE))
    assert found.device.type == DEVICE.type
    expected = saliency_of(saliency, inputs)
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-3, atol=1e-4 * float(expected.max()))


@pytest.mark.parametrize("saliency", WITHOUT_NETWORK, ids=repr)
def test_nothing_waits(saliency: Any) -> None:
    inputs = make_inputs((3, 9, 8)).to(DEVICE)
    saliency(None, inputs, None)  # the first use creates the plans for the transform
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        saliency(None, inputs, None)
    finally:
        torch.cuda.set_sync_debug_mode(before)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("saliency", [*WITHOUT_NETWORK, LowResolution()], ids=repr)
def test_a_training(saliency: Any, precision: Any) -> None:
    module = Tiny(make_network())
    fit_on_gpu(module, CoMixup(seed=0, saliency=saliency, clean_weight=0, mixed_share=0.5), precision=precision)
    assert all(bool(parameter.isfinite().all()) for parameter in module.parameters())
