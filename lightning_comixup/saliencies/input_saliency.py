"""The base class of saliencies that depend on the inputs alone."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from lightning_comixup.validation import check_inputs, widen


class InputSaliency(ABC):
    """A saliency that is computed from the inputs, without the module or the targets.

    The callback always passes inputs with the channels first, wherever the batch has them.
    """

    def __call__(self, module: object, inputs: Tensor, targets: object) -> Tensor:
        """Return the saliency of a batch, without waiting for the device.

        Args:
            module: Not used.
            inputs: (B, C, *spatial), floating-point.
            targets: Not used.

        Returns:
            (B, *spatial), non-negative, float32 (float64 for float64 inputs), on the inputs' device. A non-finite input
            affects only its own map.

        Raises:
            TypeError: If the inputs are not a dense floating-point tensor.
            ValueError: If they are not (B, C, *spatial).
        """
        check_inputs(inputs)
        with torch.no_grad():
            return self.compute(widen(inputs))

    @abstractmethod
    def compute(self, inputs: Tensor) -> Tensor:
        """Return the saliency (B, *spatial) of inputs (B, C, *spatial) in float32 or float64, in the same dtype."""


def nan_where_not_finite(inputs: Tensor) -> Tensor:
    """Return 0 for each finite input and NaN for any other: (B, 1, ...) with one dimension per spatial dimension.

    Added to maps that do not depend on the inputs' values, the NaN makes the callback report such inputs.
    """
    lowest, highest = inputs.flatten(1).aminmax(dim=1)
    return (lowest * 0 + highest * 0).view(-1, *(1,) * (inputs.ndim - 2))
