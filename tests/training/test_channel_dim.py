"""Inputs with channels elsewhere are mixed in the same way as inputs with channels first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_comixup import CoMixup
from lightning_comixup.method.channels import channels_first, restore_channels
from tests.tiny import CLASSES, Tiny, fit, is_clean_pass, largest_difference, make_data

_Y = make_data(16)[1]


class Layouts(Tiny):
    """Converts its inputs from a layout to (B, C, *spatial), and records its batches."""

    def __init__(self, channel_dim: int | None, shape: tuple[int, ...]) -> None:
        torch.manual_seed(0)
        super().__init__(nn.Sequential(nn.Flatten(), nn.Linear(int(torch.Size(shape).numel()), CLASSES)))
        self.channel_dim = channel_dim
        self.batches: list[Any] = []

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(channels_first(inputs, self.channel_dim))

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        if not is_clean_pass(self):
            self.batches.append(batch)
        return super().training_step(batch[:2], batch_idx)


def _train(channel_dim: int | None, first: Tensor, other: Tensor, **settings: Any) -> Layouts:
    """Train on inputs (B, C, *spatial), converted to a layout with channels at `channel_dim`."""
    module = Layouts(channel_dim, tuple(first.shape[1:]))
    parts = [restore_channels(part, channel_dim).contiguous() for part in (first, other)]
    copies = [part.clone() for part in parts]
    data: Any = [[parts[0], _Y, parts[1]]]
    loader: Any = DataLoader(data, batch_size=None, collate_fn=lambda batch: batch)
    fit(module, CoMixup(seed=0, channel_dim=channel_dim, also_mix=[2], **settings), loader=loader, max_epochs=2)
    assert all(torch.equal(part, copied) for part, copied in zip(parts, copies, strict=True))
    return module


@pytest.mark.parametrize(
    ("channel_dim", "shape"),
    [
        (None, (16, 1, 12)),
        (None, (16, 1, 8, 9)),
        (-1, (16, 3, 12)),
        (-1, (16, 3, 8, 9)),
        (2, (16, 2, 6, 8, 8)),
        (-3, (16, 2, 6, 8, 8)),
    ],
)
@pytest.mark.parametrize("own_saliency", [False, True])
def test_a_layout_is_mixed_like_channels_first(
    channel_dim: int | None, shape: tuple[int, ...], own_saliency: bool
) -> None:
    draws = torch.Generator().manual_seed(0)
    first = torch.rand(shape, generator=draws)
    other = torch.rand((*shape[:2], *(2 * size for size in shape[2:])), generator=draws)
    settings: dict[str, Any] = {"saliency": lambda *_: first.mean(1)} if own_saliency else {}
    module, expected = _train(channel_dim, first, other, **settings), _train(1, first, other, **settings)
    assert not torch.equal(expected.batches[0][0], first)
    for found, wanted in zip(module.batches, expected.batches, strict=True):
        for position in (0, 2):
            assert torch.equal(channels_first(found[position], channel_dim), wanted[position])
            assert found[position].is_contiguous()
        assert torch.equal(found[1], wanted[1])
    assert largest_difference(module, expected) < 1e-6


@pytest.mark.parametrize(("channel_dim", "shape"), [(None, (16, 1, 9)), (None, (16, 1, 8, 8)), (-1, (16, 3, 8, 8))])
def test_pictures_of_other_layouts(channel_dim: int | None, shape: tuple[int, ...], tmp_path: Path) -> None:
    inputs = torch.rand(shape)
    _train(channel_dim, inputs, inputs, log_images_every=1, images_folder=tmp_path)
    assert len(list(tmp_path.glob("*.png"))) == 2


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((16, 12), {}, r"inputs must be \(B, C, \*spatial\) .* found shape \(16, 12\) .* None for inputs without"),
        (
            (16, 6, 3, 8, 8),
            {},
            r"\(4, 4, 4\) cells for \(3, 8, 8\). Lower grid_size. For video .*channel_dim=2.\.$",
        ),
        ((16, 8, 8, 3), {}, r"\(4, 4\) cells for \(8, 3\). Lower grid_size. .* channels last, .*channel_dim=-1.\.$"),
        ((16, 6, 3, 8, 8), {"grid_size": (2, 2)}, r"one entry per spatial dimension.*channel_dim=2.\.$"),
        ((16, 8, 8), {"channel_dim": 3}, r"channels at dimension 3 .* found shape \(16, 8, 8\) with channel_dim=3"),
        ((16, 8), {"channel_dim": -1}, r"inputs must be \(B, \*spatial, C\) .* found shape \(16, 8\)"),
    ],
)
def test_errors_say_where_channels_may_be(shape: tuple[int, ...], settings: dict[str, Any], message: str) -> None:
    module = Layouts(1, shape[1:])
    data: Any = [[torch.rand(shape), _Y]]
    loader: Any = DataLoader(data, batch_size=None, collate_fn=lambda batch: batch)
    with pytest.raises(ValueError, match=message):
        fit(module, CoMixup(seed=0, **settings), loader=loader, max_epochs=1)
