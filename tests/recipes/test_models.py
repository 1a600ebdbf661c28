"""The sizes of the networks, counted by hand from the tables in their papers, and the shapes of their outputs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from examples.recipes.models import VGG11, PreActResNet, RawWaveformNet, ResNeXt, TorchvisionNetwork, WideResNet


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _preact_block(channels_in: int, channels: int) -> int:
    projection = 0 if channels_in == channels else channels_in * channels
    return 2 * channels_in + 9 * channels_in * channels + 2 * channels + 9 * channels**2 + projection


def _head(features: int, classes: int) -> int:
    return (features + 1) * classes


def test_preactresnet18() -> None:
    pairs = [(64, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    expected = 9 * 3 * 64 + sum(_preact_block(*pair) for pair in pairs) + _head(512, 100)
    assert _parameters(PreActResNet(100)) == expected == 11_217_316  # the authors' network has as many
    assert _parameters(PreActResNet(100, last_norm=True)) == expected + 2 * 512


def test_wrn16_8() -> None:
    pairs = [(16, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    expected = 9 * 3 * 16 + sum(_preact_block(*pair) for pair in pairs) + 2 * 512 + _head(512, 100)
    assert _parameters(WideResNet(100)) == expected
    assert round(expected / 1e6, 1) == 11.0  # the paper's table


def test_resnext29_4_24() -> None:
    def block(channels_in: int, inner: int, channels: int) -> int:
        branch = channels_in * inner + 9 * inner * (inner // 4) + inner * channels + 2 * (2 * inner + channels)
        return branch + (0 if channels_in == channels else channels_in * channels + 2 * channels)

    expected = 9 * 3 * 64 + 2 * 64 + _head(1024, 100)
    before = 64
    for inner, channels in ((96, 256), (192, 512), (384, 1024)):
        expected += block(before, inner, channels) + 2 * block(channels, inner, channels)
        before = channels
    assert _parameters(ResNeXt(100)) == expected == 4_937_252  # the authors' network has as many


def test_vgg11() -> None:
    convolutions = [(1, 64), (64, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 512), (512, 512)]
    expected = sum(9 * before * after + 2 * after for before, after in convolutions)
    expected += _head(512 * 5 * 3, 512) + _head(512, 512) + _head(512, 35)
    assert _parameters(VGG11(35)) == expected
    sides = []
    values = torch.zeros(2, 1, 160, 101)
    for layer in VGG11(7, width=1).features:
        if isinstance(layer, nn.Conv2d):
            sides.append(tuple(values.shape[2:]))
        values = layer(values)
    assert sides == [(160, 101), (80, 50), (40, 25), (40, 25), (20, 12), (20, 12), (10, 6), (10, 6)]


def test_raw_waveform_net() -> None:
    expected = 80 * 128 + 3 * 128 * 128 + 3 * 128 * 256 + 3 * 256 * 512 + 2 * (128 + 128 + 256 + 512) + _head(512, 35)
    assert _parameters(RawWaveformNet(35)) == expected
    assert round(expected / 1e6, 1) == 0.6


@pytest.mark.parametrize(
    ("network", "shape", "features"),
    [
        (PreActResNet(7, width=4), (3, 32, 32), (32, 4, 4)),
        (PreActResNet(7, width=4, first_stride=2), (3, 64, 64), (32, 4, 4)),
        (PreActResNet(7, blocks=(1, 1, 1), width=4, in_channels=1), (1, 28, 28), (16, 7, 7)),
        (WideResNet(7, depth=10, widening=1), (3, 32, 32), (64, 8, 8)),
        (ResNeXt(7, depth=11, base_width=4), (3, 32, 32), (1024, 8, 8)),
        (VGG11(7, width=4), (1, 160, 101), (32 * 5 * 3,)),
        (RawWaveformNet(7, width=4), (1, 16000), (16, 15)),
        (RawWaveformNet(7, width=4), (1, 1020), (16, 1)),
    ],
)
def test_shapes(network: nn.Module, shape: tuple[int, ...], features: tuple[int, ...]) -> None:
    inputs = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    assert network.features(inputs).shape == (2, *features)  # type: ignore[operator]
    assert network(inputs).shape == (2, 7)


@pytest.mark.parametrize(("network", "depth"), [(WideResNet, 17), (WideResNet, 4), (ResNeXt, 28), (ResNeXt, 2)])
def test_depths_that_do_not_exist(network: type[nn.Module], depth: int) -> None:
    with pytest.raises(ValueError, match=f"depth must be .* found {depth}"):
        network(10, depth=depth)


def test_torchvision_network() -> None:
    models = pytest.importorskip("torchvision.models")
    network = TorchvisionNetwork(7, "resnet18", zero_init_residual=True)
    original = _parameters(models.resnet18())
    assert _parameters(network) == original - _head(512, 1000) + _head(512, 7)
    state = network.state_dict()
    last_scales = [value for name, value in state.items() if name.endswith("bn2.weight")]
    assert len(last_scales) == 8
    assert all(bool((scale == 0).all()) for scale in last_scales)
    head = TorchvisionNetwork(1000, "resnet18").state_dict()["network.fc.weight"]
    assert head.std().item() == pytest.approx(0.01, rel=0.01)
    with pytest.raises(ValueError, match="linear head `fc`, found 'squeezenet1_1'"):
        TorchvisionNetwork(7, "squeezenet1_1")
