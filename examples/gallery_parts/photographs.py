"""Six photographs from the wheels of scikit-image and scikit-learn, so that nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from skimage import data
from sklearn.datasets import load_sample_image
from torch import Tensor
from torch.nn import functional as F


class Photograph(NamedTuple):
    """A photograph, its name in the figures and the colour that stands for it in all of them."""

    name: str
    colour: str  # one of Okabe and Ito's, which colour-blind readers can tell apart
    load: Callable[[], NDArray[np.uint8]]  # (height, width) or (height, width, 3)


def _sample(name: str) -> Callable[[], Any]:
    return lambda: load_sample_image(name)


PHOTOGRAPHS = (
    Photograph("cat", "#E69F00", data.chelsea),
    Photograph("coffee", "#D55E00", data.coffee),
    Photograph("rocket", "#0072B2", data.rocket),
    Photograph("temple", "#56B4E9", _sample("china.jpg")),
    Photograph("flower", "#CC79A7", _sample("flower.jpg")),
    Photograph("camera", "#009E73", data.camera),
)


def load_photographs(side: int) -> Tensor:
    """Return the square in the middle of each photograph, resized: (N, 3, side, side) from 0 to 1."""
    return torch.cat([_square(torch.tensor(photograph.load()), side) for photograph in PHOTOGRAPHS])


def _square(pixels: Tensor, side: int) -> Tensor:
    """Crop and resize grey levels from 0 to 255: (height, width) or (height, width, 3) to (1, 3, side, side)."""
    channels = pixels.movedim(-1, 0) if pixels.ndim == 3 else pixels.expand(3, *pixels.shape)
    height, width = channels.shape[1:]
    shorter = min(height, width)
    top, left = (height - shorter) // 2, (width - shorter) // 2
    square = channels[None, :, top : top + shorter, left : left + shorter].float() / 255
    return F.interpolate(square, (side, side), mode="bicubic", antialias=True).clamp(0, 1)
