"""Saliency from the gradient of a smaller copy of the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lightning_comixup.method.grid import pool_to_grid, upsample_nearest
from lightning_comixup.method.saliency import compute_saliency
from lightning_comixup.validation import check_count, check_inputs, widen


@dataclass(frozen=True)
class LowResolution:
    """The saliency of a pass on block-averaged inputs, enlarged back to full size.

    In `CoMixup`, with `clean_weight=0`, that pass is the clean pass itself. It runs the module's own loss on smaller
    inputs, and shrinks the parts of `also_mix` by the same factor. Convolutions over images cost 1 / factor² of their
    cost at full size. The module must accept inputs of several sizes, and targets must not have the inputs' size.

    >>> LowResolution().shrink(torch.arange(12.0).view(1, 1, 2, 6))
    tensor([[[[3.5000, 5.5000, 7.5000]]]])

    Attributes:
        factor: Side of a block, at least 1. If it does not divide a side evenly, the side has as many blocks as needed,
            some of them smaller. With 1 the saliency equals that of `compute_saliency`.
    """

    factor: int = 2

    def __post_init__(self) -> None:
        """Check the factor.

        Raises:
            TypeError: If it is not an integer.
            ValueError: If it is below 1.
        """
        check_count("factor", self.factor, advice="Use 2 for half the resolution, the default.")
        object.__setattr__(self, "factor", int(self.factor))

    def __call__(self, module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the saliency of a batch from `compute_saliency` with the cross-entropy.

        Args:
            module: Maps inputs of any size to logits.
            inputs: (B, C, *spatial), floating-point.
            targets: (B,) or (B, 1) integer, or (B, K) class probabilities.

        Returns:
            (B, *spatial), float32 (float64 for float64 inputs), on the inputs' device.

        Raises:
            TypeError: As in `compute_saliency`.
            ValueError: As in `compute_saliency`.
            RuntimeError: As in `compute_saliency`.
        """
        check_inputs(inputs)
        return self.enlarge(compute_saliency(module, self.shrink(inputs), targets), inputs.shape[2:])

    def shrink(self, inputs: Tensor) -> Tensor:
        """Return the means over the blocks: (B, C, *spatial) to (B, C, *blocks), with the inputs' dtype and device."""
        if self.factor == 1:
            return inputs.detach()
        with torch.no_grad():
            return pool_to_grid(widen(inputs), self.count_blocks(inputs.shape[2:])).to(inputs.dtype)

    def count_blocks(self, spatial: Sequence[int]) -> tuple[int, ...]:
        """Return the number of blocks along each side of inputs of the given spatial size."""
        return tuple(-(-size // self.factor) for size in spatial)

    def enlarge(self, saliency: Tensor, spatial: Sequence[int]) -> Tensor:
        """Repeat the saliency of each block over its positions: (B, *blocks) to (B, *spatial)."""
        return upsample_nearest(saliency, tuple(spatial))

    def check_fits(self, spatial: tuple[int, ...], grid: tuple[int, ...]) -> None:
        """Check that the saliency can differ between the cells along each side.

        Raises:
            ValueError: If a single block covers a whole side with several cells.
        """
        blocks = self.count_blocks(spatial)
        if any(count == 1 < cells for count, cells in zip(blocks, grid, strict=True)):
            raise ValueError(
                f"{self!r} must leave at least two blocks along each side that the grid {grid} divides, found {blocks} "
                f"for inputs of spatial size {spatial}. Lower factor, or leave saliency=None."
            )
