"""Backgrounds cut out of scikit-learn's two photographs, by danielbuechele and vultilion (CC BY 2.0)."""

from __future__ import annotations

from functools import cache

import torch
from sklearn.datasets import load_sample_images
from torch import Tensor
from torch.nn import functional as F

_BRIGHTEST = 255.0
_ZOOM = 2  # pixels of a photograph for each pixel of a background. Heuristic: it shows recognisable things


def draw_backgrounds(count: int, side: int, draws: torch.Generator) -> Tensor:
    """Cut squares out of the photographs at random places.

    Args:
        count: Number of backgrounds.
        side: Their side, in pixels.
        draws: Draws the photograph and the place of each one.

    Returns:
        (count, 1, side, side), grey levels from 0 to 1.
    """
    return torch.stack([_cut(side * _ZOOM, draws) for _ in range(count)])


def _cut(side: int, draws: torch.Generator) -> Tensor:
    photographs = _read_photographs()
    photograph = photographs[int(torch.randint(len(photographs), (), generator=draws))]
    top, left = (int(torch.randint(span - side + 1, (), generator=draws)) for span in photograph.shape[1:])
    return F.avg_pool2d(photograph[:, top : top + side, left : left + side], _ZOOM)


@cache
def _read_photographs() -> list[Tensor]:
    """Return the photographs in grey, each (1, H, W)."""
    return [torch.tensor(image / _BRIGHTEST).mean(2)[None].float() for image in load_sample_images().images]
