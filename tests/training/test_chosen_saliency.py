"""Saliencies that need only the inputs, in a Trainer: no pass of the module, and any layout."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lightning_comixup import CoMixup, Edges, NonFiniteSaliencyError, Random, SpectralResidual, Uniform, comixup_batch
from lightning_comixup.method.channels import channels_first, restore_channels
from tests.tiny import CLASSES, Plain, Tiny, fit, is_clean_pass, largest_difference, make_data, replay

_CHOICES = [Edges(), SpectralResidual(), Uniform(), Random()]


class Counting(Tiny):
    """Counts its forward passes."""

    passes = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.passes += 1
        return super().forward(inputs)


@pytest.mark.parametrize("clean_weight", [1.0, 0.0])
@pytest.mark.parametrize("saliency", _CHOICES, ids=repr)
def test_the_maps_are_used_and_no_pass_is_run_for_them(saliency: Any, clean_weight: float) -> None:
    module, expected = Counting(), Tiny()
    start = copy.deepcopy(expected)
    settings: dict[str, Any] = {"seed": 0, "clean_weight": clean_weight, "num_classes": CLASSES}
    fit(module, CoMixup(saliency=saliency, **settings))
    fit(expected, CoMixup(saliency=lambda module, inputs, targets: saliency(None, inputs, None), **settings))
    assert largest_difference(module, expected) == 0
    assert largest_difference(module, replay(start, module.seen, clean_weight=clean_weight)) == 0
    # Without a clean loss, one pass on the first batch shows the kind of targets.
    assert module.passes == (16 if clean_weight else 8 + 1)


class FirstChannel(Tiny):
    """Classifies only the first channel, and records the mixed images."""

    def __init__(self, channel_dim: int | None) -> None:
        super().__init__()
        self.channel_dim = channel_dim

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        images = channels_first(batch[0], self.channel_dim)
        if not is_clean_pass(self):
            self.mixed = images.clone()
        return self.comixup_loss(self(images[:, :1]), batch[1])


@pytest.mark.parametrize("channel_dim", [-1, 2, -2, None])
@pytest.mark.parametrize("saliency", _CHOICES, ids=repr)
def test_channels_elsewhere(saliency: Any, channel_dim: int | None) -> None:
    """The callback passes inputs with channels first, so that the saliencies do not need a setting for this."""
    images = torch.rand(16, 1 if channel_dim is None else 4, 8, 8, generator=torch.Generator().manual_seed(0))
    found, expected = (_mixed(saliency, images, dim) for dim in (channel_dim, 1))
    assert torch.equal(found, expected)
    assert not torch.equal(found, images)


def _mixed(saliency: Any, images: Tensor, channel_dim: int | None) -> Tensor:
    """Return the mixed images of a batch with channels at a given dimension, converted back to channels first."""
    module = FirstChannel(channel_dim)
    data: Any = [[restore_channels(images, channel_dim).contiguous(), make_data(16)[1]]]
    loader: Any = DataLoader(data, batch_size=None, collate_fn=lambda batch: batch)
    callback = CoMixup(seed=0, saliency=saliency, clean_weight=0, channel_dim=channel_dim)
    fit(module, callback, loader=loader, max_epochs=1)
    return module.mixed


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-true", "64-true"])
@pytest.mark.parametrize("saliency", _CHOICES, ids=repr)
def test_any_precision(saliency: Any, precision: Any) -> None:
    module = Tiny()
    fit(module, CoMixup(seed=0, saliency=saliency, clean_weight=0), precision=precision)
    assert all(bool(parameter.isfinite().all()) for parameter in module.parameters())


@pytest.mark.parametrize("saliency", _CHOICES, ids=repr)
def test_inputs_that_are_not_finite_are_reported(saliency: Any) -> None:
    inputs, targets = make_data(16)
    inputs[3, 0, 2, 2] = torch.nan
    data: Any = [[inputs, targets]]
    loader: Any = DataLoader(data, batch_size=None, collate_fn=lambda batch: batch)
    callback = CoMixup(seed=0, saliency=saliency, clean_weight=0, num_classes=CLASSES)
    with pytest.raises(NonFiniteSaliencyError, match="in 1 of 16 maps"):
        fit(Tiny(), callback, loader=loader)


def test_uniform_saliency_mixes_by_the_prior_and_the_starts_alone() -> None:
    inputs, targets = make_data(20)
    maps = Uniform()(None, inputs, None)
    found = comixup_batch(inputs, targets, maps, num_classes=CLASSES, generator=0)
    other = comixup_batch(-inputs, targets, 3 * maps, num_classes=CLASSES, generator=0)
    assert torch.equal(found.mixing_weights, other.mixing_weights)


class InTraining(Plain):
    """Has two heads, but only in training mode, like GoogLeNet."""

    def forward(self, inputs: Tensor) -> Any:
        logits = super().forward(inputs)
        return (logits, logits) if self.training else logits

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        logits, others = self(batch[0])
        self.targets_seen.append(batch[1])
        return F.cross_entropy(logits, batch[1]) + F.cross_entropy(others, batch[1])


def test_a_step_that_needs_training_mode_cannot_be_inspected() -> None:
    """The kind of targets then comes from the arguments, or an error says which arguments are needed."""
    settings: dict[str, Any] = {"seed": 0, "saliency": Edges(), "clean_weight": 0}
    module, expected = InTraining(), Plain()
    fit(module, CoMixup(**settings, num_classes=CLASSES), max_epochs=1)
    fit(expected, CoMixup(**settings), max_epochs=1)
    for found, rows in zip(module.targets_seen, expected.targets_seen, strict=True):
        assert torch.equal(found, rows)
    with pytest.raises(ValueError, match="too many values to unpack") as raised:
        fit(InTraining(), CoMixup(**settings))
    notes = "".join(getattr(raised.value, "__notes__", ["in eval mode, pass CoMixup(num_classes=...)"]))
    assert "in eval mode" in notes
    assert "pass CoMixup(num_classes=...)" in notes


def test_errors_that_the_inspection_finds_are_raised() -> None:
    with pytest.raises(ValueError, match="num_classes must be the number of the module's logits, 5, found 7"):
        fit(Plain(), CoMixup(seed=0, saliency=Edges(), clean_weight=0, num_classes=7))
    with pytest.raises(ValueError, match="linear_targets must agree with the losses"):
        fit(Plain(), CoMixup(seed=0, saliency=Edges(), clean_weight=0, linear_targets=True))


def test_a_class_in_place_of_an_instance_is_named() -> None:
    with pytest.raises(TypeError, match=r"found <class .*Edges'>.* If it is a class, make an instance: Edges\(\)"):
        CoMixup(saliency=Edges)  # type: ignore[arg-type]
