"""The place of channels: a module is refused if its first layer has channels elsewhere than the mixing."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from lightning_comixup import CoMixup
from tests.tiny import fit


class Module(pl.LightningModule):
    """Calls a function with its layer and the inputs, and classifies the result."""

    def __init__(self, layer: nn.Module, call: Any) -> None:
        super().__init__()
        self.layer, self.call = layer, call
        self.head = nn.LazyLinear(4)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        features = self.call(self.layer, batch[0]).flatten(1)
        return F.cross_entropy(self.head(features), batch[1])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def _fit(layer: nn.Module, call: Any, shape: tuple[int, ...], **settings: Any) -> None:
    inputs, targets = torch.rand(16, *shape), torch.arange(16) % 4
    module = Module(layer, call)
    with torch.no_grad():
        module.head(module.call(layer, inputs).flatten(1))
    fit(module, CoMixup(seed=0, **settings), loader=DataLoader(TensorDataset(inputs, targets), 8), max_epochs=1)


def _plain(layer: nn.Module, inputs: Tensor) -> Tensor:
    return layer(inputs)


def _normalised(layer: nn.Module, inputs: Tensor) -> Tensor:
    return layer(((inputs - 0.5) / 0.2).clamp(-2, 2).transpose(1, 2))


def _by_frame(layer: nn.Module, inputs: Tensor) -> Tensor:
    return layer(inputs.flatten(0, 1)).view(len(inputs), -1)


_REFUSED: dict[str, tuple[nn.Module, Any, tuple[int, ...], int | None]] = {
    "series (B, T, C), recurrent": (nn.GRU(6, 4, batch_first=True), lambda gru, x: gru(x)[0], (16, 6), -1),
    "series (B, T, C), LSTM, time first": (nn.LSTM(6, 4), lambda net, x: net(x.transpose(0, 1))[1][0][0], (16, 6), -1),
    "series (B, T, C), linear": (nn.Linear(6, 4), _plain, (16, 6), -1),
    "series (B, T, C), convolution": (nn.Conv1d(6, 4, 3), _normalised, (16, 6), -1),
    "images (B, H, W, C)": (nn.Conv2d(6, 4, 3), lambda net, x: net(x.permute(0, 3, 1, 2)), (8, 8, 6), -1),
    "images (B, H, W)": (nn.Conv2d(1, 4, 3), lambda net, x: net(x.unsqueeze(1)), (8, 8), None),
    "video (B, T, C, H, W)": (nn.Conv2d(4, 2, 3), _by_frame, (6, 4, 8, 8), 2),
}


@pytest.mark.parametrize(("layer", "call", "shape", "channel_dim"), _REFUSED.values(), ids=_REFUSED)
def test_channels_elsewhere_are_refused_in_the_first_step(
    layer: nn.Module, call: Any, shape: tuple[int, ...], channel_dim: int | None
) -> None:
    with pytest.raises(ValueError, match=rf"treats .* channels. Pass CoMixup\(channel_dim={channel_dim}\)") as raised:
        _fit(layer, call, shape)
    assert "test_layout_watch.py:" in str(raised.value)
    _fit(layer, call, shape, channel_dim=channel_dim)
    _fit(layer, call, shape, channel_dim=-len(shape))  # dimension 1, given explicitly


_RIGHT: dict[str, tuple[nn.Module, Any, tuple[int, ...]]] = {
    "signals": (nn.Conv1d(3, 4, 3), _plain, (3, 16)),
    "images": (nn.Conv2d(3, 4, 3), lambda net, x: net((x - 0.5) / 0.2), (3, 8, 8)),
    "one channel": (nn.Conv2d(1, 4, 3), _plain, (1, 8, 8)),
    "as many channels as pixels": (nn.Conv2d(8, 4, 3), _plain, (8, 8, 8)),
    "volumes": (nn.Conv3d(2, 4, 3), _plain, (2, 6, 6, 6)),
    "transposed convolution input": (nn.Conv2d(3, 4, 3), lambda net, x: net(x.transpose(2, 3)), (3, 8, 8)),
    "signals to a recurrent layer": (nn.GRU(3, 4, batch_first=True), lambda gru, x: gru(x.transpose(1, 2))[0], (3, 16)),
    "flat": (nn.Linear(192, 4), lambda net, x: net(x.flatten(1)), (3, 8, 8)),
    "patches": (nn.Linear(48, 4), lambda net, x: net(F.unfold(x, 4, stride=4).transpose(1, 2)), (3, 8, 8)),
    "frames stacked as channels": (nn.Conv2d(24, 4, 3), lambda net, x: net(x.flatten(1, 2)), (6, 4, 8, 8)),
}


@pytest.mark.parametrize(("layer", "call", "shape"), _RIGHT.values(), ids=_RIGHT)
def test_channels_in_the_right_place_are_accepted(layer: nn.Module, call: Any, shape: tuple[int, ...]) -> None:
    _fit(layer, call, shape)
