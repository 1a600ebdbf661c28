"""The position of the channels: views with the channels first, and back.

All mixing is done on (B, C, *spatial). Inputs of other layouts are accessed through views, so that nothing is copied
and the result has the memory layout of the inputs.
"""

from __future__ import annotations

from torch import Tensor

# Images have at most this many channels, and hardly ever so few pixels along a side. Heuristic.
_FEW_CHANNELS = 4


def channels_first(tensor: Tensor, channel_dim: int | None) -> Tensor:
    """Return a view (B, C, *spatial).

    Args:
        tensor: Inputs with their channels at `channel_dim`.
        channel_dim: The dimension of the channels. If None, the inputs have no channels, and the view has one.
    """
    if channel_dim == 1:
        return tensor
    return tensor.unsqueeze(1) if channel_dim is None else tensor.movedim(channel_dim, 1)


def restore_channels(tensor: Tensor, channel_dim: int | None) -> Tensor:
    """Return a view of (B, C, *spatial) with the channels back at `channel_dim`: the inverse of `channels_first`."""
    if channel_dim == 1:
        return tensor
    return tensor.squeeze(1) if channel_dim is None else tensor.movedim(1, channel_dim)


def check_channels(inputs: Tensor, channel_dim: int | None, name: str = "inputs") -> None:
    """Check that inputs have their channels at `channel_dim`, at least one spatial dimension and no empty one.

    Raises:
        ValueError: If they do not.
    """
    lowest = 2 if channel_dim is None else 3
    position = 1 if channel_dim is None else channel_dim % inputs.ndim if inputs.ndim else 0
    fits = channel_dim is None or (-inputs.ndim <= channel_dim < inputs.ndim and position > 0)
    if inputs.ndim >= lowest and inputs.numel() > 0 and fits:
        return
    raise ValueError(
        f"{name} must be {layout_of(channel_dim)} with at least one spatial dimension and no empty one, found shape "
        f"{tuple(inputs.shape)} with channel_dim={channel_dim}. Name the right part of the batch, or pass "
        "CoMixup(channel_dim=...): 1 for (B, C, *spatial), -1 for (B, *spatial, C), None for inputs without channels."
    )


def layout_of(channel_dim: int | None) -> str:
    """Describe the layout of inputs for a message."""
    layouts = {1: "(B, C, *spatial)", -1: "(B, *spatial, C)", None: "(B, *spatial)"}
    return layouts.get(channel_dim, f"(B, ...) with channels at dimension {channel_dim}")


def channel_advice(shape: tuple[int, ...], channel_dim: int | None) -> str:
    """Return advice for inputs whose shape suggests that their channels are elsewhere, or "" if it does not.

    Only the default, 1, is questioned, since the user chose any other value.
    """
    if channel_dim != 1:
        return ""
    if len(shape) == 3 and shape[1] == shape[2]:
        return f"For images without channels, (B, H, W) = {shape}, pass CoMixup(channel_dim=None)."
    if len(shape) == 3 and shape[1] > shape[2]:
        return f"For series (B, T, C) = {shape} pass CoMixup(channel_dim=-1)."
    if len(shape) == 5 and shape[2] <= _FEW_CHANNELS < min(shape[3:]):
        return f"For video (B, T, C, H, W) = {shape} pass CoMixup(channel_dim=2)."
    if len(shape) > 3 and shape[-1] <= _FEW_CHANNELS < min(shape[1:-1]):
        return f"For inputs with their channels last, of shape {shape}, pass CoMixup(channel_dim=-1)."
    return ""
