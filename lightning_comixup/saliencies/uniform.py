"""A uniform saliency, used as a control."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from lightning_comixup.saliencies.input_saliency import InputSaliency, nan_where_not_finite


@dataclass(frozen=True)
class Uniform(InputSaliency):
    """A map of ones, so that no input prefers a position. This control shows the effect of Co-Mixup without saliency.

    >>> import torch
    >>> Uniform()(None, torch.rand(1, 3, 2, 2), None)
    tensor([[[1., 1.],
             [1., 1.]]])
    """

    def compute(self, inputs: Tensor) -> Tensor:
        """Return ones."""
        shape = inputs.shape[0], *inputs.shape[2:]
        return inputs.new_ones(shape) + nan_where_not_finite(inputs)
