"""Mixing inputs and targets by a labeling, without a product over all pairs of outputs and inputs."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_comixup.method.grid import upsample_nearest
from lightning_comixup.validation import widen

# Outputs are mixed in this many chunks, so that only one chunk's indices and gathered inputs are in memory. Heuristic.
_CHUNKS = 12
# Up to this many elements, mixing everything at once is faster and small enough (4 MB in float32). Heuristic.
_SMALL = 1 << 20


class MixingIndices(NamedTuple):
    """The inputs to mix: two for each cell of each output, often the same one twice."""

    labels: Tensor  # (2, B, *grid) int64
    sources: Tensor  # (B, W) int64: the inputs that each output consists of, padded with others; none repeats
    shares: Tensor  # (B, W) float32: the share of each source in the output, 0 for the padding; rows sum to 1
    has_halves: bool  # whether the two labels differ anywhere

    @property
    def mixing_weights(self) -> Tensor:
        """The share of each input of the batch in each output: (B, B) float32, rows sum to 1."""
        return self.shares.new_zeros(len(self.shares), len(self.shares)).scatter_(1, self.sources, self.shares)


def mix_inputs(inputs: Tensor, indices: MixingIndices) -> Tensor:
    """Return Σ_i mask_i · input_i, with the masks upsampled by nearest neighbour.

    The authors build an (M, N, C, *spatial) product. Here each pixel is gathered from its one or two inputs. A pixel
    with a single source equals that input's pixel bit for bit. A pixel of a half label is ½ a + ½ b.

    Args:
        inputs: (B, C, *spatial), left unchanged.
        indices: The indices for the same batch, on the same device.

    Returns:
        (B, C, *spatial), with the dtype, device and memory format of the inputs.
    """
    labels = indices.labels if indices.has_halves else indices.labels[:1]
    chunks = 1 if inputs.numel() <= _SMALL else _CHUNKS
    if chunks == 1 and inputs.is_contiguous():
        return _mix(inputs, labels)
    mixed = torch.empty_like(inputs)
    for part, rows in zip(mixed.chunk(chunks), labels.chunk(chunks, dim=1), strict=True):
        part.copy_(_mix(inputs, rows))
    return mixed


def _mix(inputs: Tensor, labels: Tensor) -> Tensor:
    """Mix as many outputs as there are labels: (1 or 2, b, *grid) to (b, C, *spatial)."""
    first, *second = _gather(inputs, labels.flatten(0, 1)).chunk(len(labels))
    if not second:
        return first
    is_half = upsample_nearest(labels[0] != labels[1], inputs.shape[2:]).unsqueeze(1)
    return torch.where(is_half, second[0].mul_(0.5).add_(first, alpha=0.5), first)


def _gather(inputs: Tensor, source: Tensor) -> Tensor:
    """Take each pixel from the input of its cell: source (b, *grid) to (b, C, *spatial)."""
    spatial = inputs.shape[2:]
    if inputs.is_contiguous() and spatial[-1] % source.shape[-1] == 0:
        return _gather_runs(inputs, source)
    index = upsample_nearest(source, spatial).unsqueeze(1)
    return inputs.gather(0, index.expand(len(source), inputs.shape[1], *spatial))


def _gather_runs(inputs: Tensor, source: Tensor) -> Tensor:
    """Take runs of neighbouring pixels of one cell, with a single index per run, which is several times as fast."""
    cells = source.shape[-1]
    run = inputs.shape[-1] // cells
    runs = inputs.numel() // len(inputs) // run
    place = torch.arange(runs, device=inputs.device).view(*inputs.shape[1:-1], cells)
    # The last axis stays at the grid's resolution: a run is as wide as a cell.
    index = torch.add(place, upsample_nearest(source, (*inputs.shape[2:-1], cells)).unsqueeze(1), alpha=runs)
    return inputs.view(-1, run).index_select(0, index.flatten()).view(len(source), *inputs.shape[1:])


def mix_targets(targets: Tensor, indices: MixingIndices) -> Tensor:
    """Return the soft targets: mixing_weights @ targets, (B, K) in float32 (or the targets' dtype if wider).

    Any (B, ...) targets that may be averaged will do. Rows of class probabilities give rows of class probabilities. A
    NaN reaches only the outputs that use its input.

    A matrix product would be unsuitable: `torch.set_float32_matmul_precision` and autocast let it round to half the
    digits.
    """
    width = math.prod(targets.shape[1:])
    rows = widen(targets).reshape(len(targets), width)
    step = max(1, _SMALL // max(1, indices.sources.shape[1] * width))
    if len(rows) <= step:
        return _average(rows, indices.sources, indices.shares).view(targets.shape)
    parts = zip(indices.sources.split(step), indices.shares.split(step), strict=True)
    return torch.cat([_average(rows, *part) for part in parts]).view(targets.shape)


def _average(rows: Tensor, sources: Tensor, shares: Tensor) -> Tensor:
    """Average the rows (B, width) of each output's sources (b, W), weighted by its shares (b, W): (b, width).

    The result is clamped to the range of the averaged values: losses reject a probability that rounds to 1.0000001.
    """
    weights = shares.unsqueeze(-1)
    taken = rows.index_select(0, sources.flatten()).view(*sources.shape, rows.shape[1])
    lowest = torch.where(weights > 0, taken, torch.inf).amin(1)
    highest = torch.where(weights > 0, taken, -torch.inf).amax(1)
    return torch.where(weights > 0, taken.mul_(weights), 0).sum(1).clamp_(lowest, highest)
