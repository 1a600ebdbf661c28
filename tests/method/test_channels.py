"""Inputs with channels first, with channels elsewhere, and without channels."""

from __future__ import annotations

import pytest
import torch

from lightning_comixup.method.channels import channel_advice, channels_first, check_channels, restore_channels

_LAYOUTS = [
    (1, (2, 3, 4, 5), (2, 3, 4, 5)),
    (None, (2, 4, 5), (2, 1, 4, 5)),
    (None, (2, 4), (2, 1, 4)),
    (-1, (2, 4, 3), (2, 3, 4)),
    (-1, (2, 4, 5, 3), (2, 3, 4, 5)),
    (2, (2, 6, 3, 4, 5), (2, 3, 6, 4, 5)),
    (-3, (2, 6, 3, 4, 5), (2, 3, 6, 4, 5)),
]


@pytest.mark.parametrize(("channel_dim", "shape", "first"), _LAYOUTS)
def test_views_there_and_back(channel_dim: int | None, shape: tuple[int, ...], first: tuple[int, ...]) -> None:
    tensor = torch.rand(shape)
    check_channels(tensor, channel_dim)
    view = channels_first(tensor, channel_dim)
    back = restore_channels(view, channel_dim)
    assert view.shape == first
    assert torch.equal(back, tensor)
    assert back.stride() == tensor.stride()
    assert view.data_ptr() == back.data_ptr() == tensor.data_ptr()


@pytest.mark.parametrize(
    ("channel_dim", "shape"),
    [
        (1, (2, 4)),
        (1, ()),
        (None, (2,)),
        (None, (2, 0)),
        (-1, (2, 3)),
        (3, (2, 3, 4)),
        (-3, (2, 3, 4)),
        (-4, (2, 3, 4)),
    ],
)
def test_shapes_that_do_not_fit(channel_dim: int | None, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be \(B, .* found shape .* channel_dim=.* pass CoMixup\(channel_dim="):
        check_channels(torch.zeros(shape), channel_dim)


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((20, 3, 32, 32), ""),
        ((20, 512, 7, 7), ""),
        ((20, 12, 1000), ""),
        ((20, 3, 16, 64, 64), ""),
        ((20, 1000, 12), "channel_dim=-1"),
        ((20, 28, 28), "channel_dim=None"),
        ((20, 16, 3, 64, 64), "channel_dim=2"),
        ((20, 32, 32, 3), "channel_dim=-1"),
        ((20, 16, 64, 64, 3), "channel_dim=-1"),
    ],
)
def test_shapes_that_suggest_another_place(shape: tuple[int, ...], advice: str) -> None:
    found = channel_advice(shape, 1)
    assert advice in found
    assert bool(found) == bool(advice)
    assert channel_advice(shape, -1) == channel_advice(shape, None) == ""
