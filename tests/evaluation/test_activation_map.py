from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from examples.evaluation.activation_map import class_activation_maps, find_layer, heat_maps


class Pooled(nn.Module):
    """Global pooling and a linear head, both with unusual names."""

    def __init__(self, is_pool_a_module: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Sequential(nn.Conv2d(4, 5, 3, stride=2), nn.ReLU(inplace=True))
        self.shrink: Callable[[Tensor], Tensor] = (
            nn.AdaptiveAvgPool2d(1) if is_pool_a_module else lambda maps: maps.mean((2, 3), keepdim=True)
        )
        self.judge = nn.Linear(5, 6)

    def forward(self, images: Tensor) -> Tensor:
        return self.judge(self.shrink(self.second(self.first(images))).flatten(1))


@pytest.fixture
def images() -> Tensor:
    return torch.randn(4, 3, 9, 9, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("is_pool_a_module", [False, True])
def test_the_last_layer_with_a_map(is_pool_a_module: bool, images: Tensor) -> None:
    network = Pooled(is_pool_a_module)
    assert find_layer(network, images) == "second"
    assert not any(module._forward_hooks for module in network.modules())


def test_no_layer_with_a_map(images: Tensor) -> None:
    with pytest.raises(ValueError, match="found none"):
        find_layer(nn.Sequential(nn.Flatten(), nn.Linear(243, 2)), images)


@pytest.mark.parametrize("is_frozen", [False, True])
def test_global_pooling_gives_the_class_activation_map(is_frozen: bool, images: Tensor) -> None:
    network = Pooled().requires_grad_(not is_frozen).eval()
    classes = torch.tensor([0, 5, 2, 2])
    found = class_activation_maps(network, "second", images, classes)
    features = network.second(network.first(images)).detach()
    by_hand = torch.einsum("bc,bcyx->byx", network.judge.weight[classes].detach(), features)
    torch.testing.assert_close(found * features[0, 0].numel(), by_hand)
    assert not found.requires_grad
    assert not images.requires_grad


def test_box_filter_and_scale() -> None:
    maps = torch.tensor([[[9.0, 0, 0], [0, 0, 0], [0, 0, 0]]])
    [heat] = heat_maps(maps, 3, 3)
    assert heat.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    maps[0, 2, 2] = -9  # the middle includes both
    [heat] = heat_maps(maps, 3, 3)
    assert heat.tolist() == [[1, 1, 0.5], [1, 0.5, 0], [0.5, 0, 0]]


def test_bicubic_to_the_images_size() -> None:
    maps = torch.rand(1, 4, 5, generator=torch.Generator().manual_seed(0))
    sums = nn.functional.conv2d(maps[:, None], torch.ones(1, 1, 3, 3), padding=1)
    large = nn.functional.interpolate(sums, size=(12, 20), mode="bicubic")[0, 0]
    [heat] = heat_maps(maps, 12, 20)
    torch.testing.assert_close(heat, (large - large.min()) / (large.max() - large.min()))


def test_a_constant_map_is_zero() -> None:
    assert not heat_maps(torch.zeros(2, 3, 3), 6, 6).any()
