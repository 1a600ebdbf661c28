"""Class activation maps of any layer (Zhou et al., CVPR 2016; Selvaraju et al., ICCV 2017)."""

from __future__ import annotations

import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn
from torch.nn import functional as F

_WINDOW = 3  # side of the box filter over the map, in cells (as in the authors' evaluation)


def find_layer(network: nn.Module, images: Tensor) -> str:
    """Return the name of the last layer in the forward pass whose output is a map.

    Raises:
        ValueError: If there is none.
    """
    names: list[str] = []

    def hook_for(name: str) -> torch.utils.hooks.RemovableHandle:
        def note(module: nn.Module, inputs: object, output: object) -> None:
            # A single cell, as after global pooling, is not a map.
            if isinstance(output, Tensor) and output.ndim == 4 and output[0, 0].numel() > 1:
                names.append(name)

        return network.get_submodule(name).register_forward_hook(note)

    handles = [hook_for(name) for name, _ in network.named_modules() if name]
    try:
        with torch.no_grad():
            network(images[:1])
    finally:
        for handle in handles:
            handle.remove()
    if not names:
        raise ValueError("A class activation map needs a layer with (B, C, H, W) outputs, found none in the network.")
    return names[-1]


def class_activation_maps(network: nn.Module, layer: str, images: Tensor, classes: Tensor) -> Tensor:
    """Return the contribution of each position in a layer's output to the logits of the given classes.

    This is Grad-CAM without its ReLU. If global average pooling and a linear head follow the layer, it is the class
    activation map, up to a factor that a heat map does not show.

    Args:
        network: The network, in evaluation mode.
        layer: The name of the layer in the network.
        images: (B, C, H, W).
        classes: (B,) integers.

    Returns:
        (B, h, w) float32, at the layer's resolution.

    Raises:
        AttributeError: If there is no such layer.
    """
    maps = LayerGradCam(network, network.get_submodule(layer)).attribute(images, target=classes)
    return maps.detach().squeeze(1).float()


def heat_maps(maps: Tensor, height: int, width: int) -> Tensor:
    """Smooth maps with a box filter, enlarge them (bicubic) and scale each to [0, 1].

    Args:
        maps: (B, h, w) float.
        height: Height H of the image, in pixels.
        width: Width W of the image, in pixels.

    Returns:
        (B, H, W) float; 0 where a map is constant.
    """
    sums = F.avg_pool2d(maps[:, None], _WINDOW, stride=1, padding=_WINDOW // 2, divisor_override=1)
    large = F.interpolate(sums, size=(height, width), mode="bicubic")[:, 0]
    low, high = large.amin((1, 2), keepdim=True), large.amax((1, 2), keepdim=True)
    return (large - low) / (high - low).clamp(min=torch.finfo(large.dtype).tiny)
