"""Mixing: inputs and targets from a labeling, without a product over all pairs of outputs and inputs."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_comixup.method.grid import upsample_nearest

# Outputs are mixed in this many chunks, so that only one chunk's indices and gathered inputs are in memory. Heuristic.
_CHUNKS = 8
# Up to this many elements mixing everything at once is faster and small enough (4 MB in float32). Heuristic.
_SMALL = 1 << 20


class MixingIndices(NamedTuple):
    """The inputs to mix: two of the batch for each cell of each output, often the same twice."""

    first: Tensor  # (B, *grid) int64
    second: Tensor  # (B, *grid) int64
    sources: Tensor  # (B, W) int64: the inputs of which each output is made, padded with others, none twice
    shares: Tensor  # (B, W) float32: the share of each in the output, 0 for the padding; rows sum to 1
    has_halves: bool  # whether `first` and `second` differ anywhere

    @property
    def mixing_weights(self) -> Tensor:
        """The share of each input of the batch in each output: (B, B) float32, rows sum to 1."""
        return self.shares.new_zeros(len(self.shares), len(self.shares)).scatter_(1, self.sources, self.shares)


def mix_inputs(inputs: Tensor, indices: MixingIndices) -> Tensor:
    """Return Σ_i mask_i · input_i with the masks upsampled by nearest neighbour.

    The authors build an (M, N, C, *spatial) product; here each pixel is gathered from its one or two inputs. A pixel of
    a single input is that input's to the bit; a pixel of a half label is ½ a + ½ b.

    Args:
        inputs: (B, C, *spatial); left as they are.
        indices: Of the same batch, on the same device.

    Returns:
        (B, C, *spatial), dtype, device and memory format of the inputs.
    """
    mixed = torch.empty_like(inputs)
    step = len(inputs) if inputs.numel() <= _SMALL else -(-len(inputs) // _CHUNKS)
    for start in range(0, len(inputs), step):
        rows = slice(start, start + step)
        chunk = _gather(inputs, indices.first[rows])
        if indices.has_halves:
            other = _gather(inputs, indices.second[rows])
            is_half = upsample_nearest(indices.first[rows] != indices.second[rows], inputs.shape[2:]).unsqueeze(1)
            chunk = torch.where(is_half, other.mul_(0.5).add_(chunk, alpha=0.5), chunk)
        mixed[rows] = chunk
    return mixed


def _gather(inputs: Tensor, source: Tensor) -> Tensor:
    """Take each pixel from the input that its cell names: source (b, *grid) to (b, C, *spatial)."""
    spatial = inputs.shape[2:]
    if inputs.is_contiguous() and spatial[-1] % source.shape[-1] == 0:
        return _gather_runs(inputs, source)
    index = upsample_nearest(source, spatial).unsqueeze(1)
    return inputs.gather(0, index.expand(len(source), inputs.shape[1], *spatial))


def _gather_runs(inputs: Tensor, source: Tensor) -> Tensor:
    """Take runs of neighbouring pixels of one cell, with one index for each run: several times as fast."""
    cells = source.shape[-1]
    run = inputs.shape[-1] // cells
    runs = inputs.numel() // len(inputs) // run
    place = torch.arange(runs, device=inputs.device).view(*inputs.shape[1:-1], cells)
    # The last axis stays at the grid's resolution: a run is as wide as a cell.
    index = upsample_nearest(source, (*inputs.shape[2:-1], cells)).unsqueeze(1) * runs + place
    return inputs.view(-1, run).index_select(0, index.flatten()).view(len(source), *inputs.shape[1:])


def mix_targets(targets: Tensor, indices: MixingIndices) -> Tensor:
    """Return the soft targets: mixing_weights @ targets, (B, K) in float32 (or the targets' dtype if wider).

    Any (B, ...) targets that may be averaged will do; rows of class probabilities give rows of class probabilities. A
    NaN reaches only the outputs that use its input.

    A matrix product would not do: `torch.set_float32_matmul_precision` and autocast let it round to half the digits.
    """
    inputs, width = indices.shares.shape[1], math.prod(targets.shape[1:])
    rows = targets.to(torch.promote_types(targets.dtype, torch.float32)).reshape(len(targets), width)
    mixed = torch.empty_like(rows)
    step = max(1, _SMALL // max(1, inputs * width))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        shares = indices.shares[part].unsqueeze(-1)
        taken = rows.index_select(0, indices.sources[part].flatten()).view(len(shares), inputs, width)
        mixed[part] = torch.where(shares > 0, taken * shares, 0).sum(1)
    return mixed.view(targets.shape)
