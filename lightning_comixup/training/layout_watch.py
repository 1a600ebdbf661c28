"""Checking the position of the channels against the first layer that receives the inputs."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from lightning_comixup.training.call_origin import users_line
from lightning_comixup.training.derived_tensors import argument, storages, tensors_in

_CONVOLUTIONS = {"conv1d": 1, "conv2d": 2, "conv3d": 3}  # and the number of dimensions that they slide along
_RECURRENT = ("rnn_tanh", "rnn_relu", "gru", "lstm")
# A linear layer may mix positions instead of channels. Only for series (B, T, C) does it reveal the channels.
_LINEAR = "linear"


class LayoutWatch(TorchFunctionMode):
    """Follows the inputs to the first layer, and raises an error if its channels are not in the expected dimension.

    Cutting a series (B, T, C) or a video (B, T, C, H, W) across its channels raises no error: the result is silently
    wrong. Only the default, channel_dim=1, is questioned, since the user chose any other value.
    """

    def __init__(self, inputs: Tensor, channel_dim: int | None, shape: tuple[int, ...] | None = None) -> None:
        """Watch how the module uses its inputs (B, ...), which may be a smaller copy of inputs of the given shape."""
        super().__init__()
        self._shape = shape or tuple(inputs.shape)
        self._is_open = channel_dim == 1
        # For each tensor with the inputs' values: the dimension of the inputs to which each of its own corresponds.
        self._axes: dict[int, tuple[Tensor, tuple[int | None, ...]]] = {id(inputs): (inputs, tuple(range(inputs.ndim)))}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a PyTorch function and follow the inputs through it, or check it if it is the first layer."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        source = argument(args, kwargs, 0, "input")
        if self._is_open and id(source) in self._axes:
            self._check_layer(name, source)
        result = func(*args, **kwargs)
        if self._is_open:
            self._follow(args, kwargs, result)
        return result

    def _check_layer(self, name: str, source: Tensor) -> None:
        axes = self._axes[id(source)][1]
        slides = _CONVOLUTIONS.get(name)
        if slides is not None and source.ndim == slides + 2 and self._may_follow(slides):
            self._is_open = False
            self._compare(name, axes[1], axes[2:])
        elif source.ndim == 3 and len(self._shape) == 3 and (name in _RECURRENT or self._is_linear_of_series(name)):
            self._is_open = False
            self._compare(name, axes[2], axes[:2])

    def _may_follow(self, slides: int) -> bool:
        """Whether a convolution reveals the channels, which it does not if it treats images as series or vice versa."""
        if len(self._shape) == 3:
            return slides == 1 or (slides == 2 and self._shape[1] == self._shape[2])  # a square is a grey image
        return slides == 2 or slides == len(self._shape) - 2

    def _is_linear_of_series(self, name: str) -> bool:
        """Whether a layer acts on the features at each time, assuming fewer features than times."""
        return name == _LINEAR and self._shape[1] > self._shape[2]

    def _compare(self, name: str, found: int | None, others: tuple[int | None, ...]) -> None:
        """Raise an error if a layer has its channels elsewhere than in dimension 1."""
        if found == 1 or (found is None and 1 not in others):
            return
        where = "no dimension" if found is None else f"dimension {found}"
        remedy = None if found is None else found - len(self._shape) if found == len(self._shape) - 1 else found
        raise ValueError(
            "channel_dim must say where the inputs have their channels, found 1, but for inputs of shape "
            f"{self._shape} {name} at {users_line()} treats {where} as channels. Pass CoMixup(channel_dim={remedy}). "
            f"If dimension 1 is right nevertheless, pass CoMixup(channel_dim={1 - len(self._shape)})."
        )

    def _follow(self, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Record the dimensions of a result with the inputs' values: a view, or a tensor with one value for each."""
        source = next((tensor for tensor in tensors_in((args, kwargs)) if id(tensor) in self._axes), None)
        if source is None or not isinstance(result, Tensor):
            return
        axes = self._axes[id(source)][1]
        if storages([result]) & storages([source]):
            places = {(source.shape[k], source.stride(k)): axis for k, axis in enumerate(axes) if source.shape[k] > 1}
            found = tuple(places.get(place) for place in zip(result.shape, result.stride(), strict=True))
            self._axes[id(result)] = result, found
        elif result.shape == source.shape:
            self._axes[id(result)] = result, axes
