"""Batches and groups for property tests, of any shape, dtype and layout, with values up to the limits of floats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from tests.random_problems import blob_saliency

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
INTEGERS = [torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.uint64]
MAGNITUDES = ["blobs", "noise", "zeros", "some zeros", "constant", "tiny", "huge", "spread", "one", "denormal", "ties"]
LAYOUTS = ["contiguous", "channels last", "expanded", "strided", "offset"]
# The longest side by number of dimensions. In one and two dimensions, "random" may draw its finest grid.
_LONGEST = {1: 40, 2: 17, 3: 7}


def values(draws: np.random.Generator, shape: tuple[int, ...], kind: str) -> NDArray[np.float64]:
    """Return values of at least 0, with samples along the first axis."""
    if kind == "blobs":
        return blob_saliency(draws, shape[0], shape[1:])
    noise = draws.random(shape)
    if kind == "spread":
        return 10.0 ** (60 * noise - 30)
    if kind == "some zeros":
        noise[draws.random(shape[0]) < 0.5] = 0
    if kind == "one":
        noise *= 1e-6
        noise.reshape(shape[0], -1)[:, draws.integers(noise[0].size)] = 1e9
    made = {
        "zeros": np.zeros(shape),
        "constant": np.full(shape, 0.3),
        "tiny": noise * 1e-30,
        "huge": noise * 1e30,
        "denormal": np.ceil(noise * 3) * 5e-324,
        "ties": np.floor(noise * 3) / 4,
    }
    return made.get(kind, noise)


def tensor_of(array: NDArray[np.float64], dtype: torch.dtype) -> Tensor:
    """Return values rounded to a dtype, with its smallest positive value in place of values that would become 0."""
    limits = torch.finfo(dtype)
    found = torch.from_numpy(array).clamp(-limits.max, limits.max).to(dtype)
    smallest = torch.tensor(limits.smallest_normal * limits.eps, dtype=dtype)
    return torch.where((found == 0) & torch.from_numpy(array != 0), smallest, found)


def laid_out(tensor: Tensor, layout: str) -> Tensor:
    """Return the tensor in another memory layout. For "expanded", the first sample is repeated."""
    if layout == "channels last":
        return tensor.movedim(1, -1).contiguous().movedim(-1, 1)
    if layout == "expanded":
        return tensor[:1].expand(tensor.shape)
    if layout == "strided":
        return torch.stack([tensor, tensor + 1], dim=-1)[..., 0]
    if layout == "offset":
        return torch.cat([tensor[:1], tensor])[1:]
    return tensor


@dataclass(frozen=True)
class Batch:
    """The arguments of `comixup_batch`."""

    inputs: Tensor
    targets: Tensor
    saliency: Tensor
    num_classes: int
    generator: int
    hyperparameters: dict[str, Any]

    def arguments(self) -> dict[str, Any]:
        named = ("inputs", "targets", "saliency", "num_classes", "generator")
        return {name: getattr(self, name) for name in named} | self.hyperparameters


def _targets(draws: np.random.Generator, size: int, classes: int, kind: Any, dtype: torch.dtype) -> Tensor:
    labels = torch.from_numpy(draws.integers(0, classes, size=size))
    if kind == "integer":
        return labels.to(dtype)
    if kind == "one-hot":
        rows = torch.nn.functional.one_hot(labels, classes).to(dtype)
        return rows if classes > 1 else rows.float()  # a column of integers would count as labels
    return torch.softmax(torch.from_numpy(draws.normal(size=(size, classes)) * 5), 1).to(dtype)


@st.composite
def hyperparameters(draw: st.DrawFn, spatial: tuple[int, ...]) -> dict[str, Any]:
    """Draw ordinary or extreme values for some of the hyper-parameters. The rest have their defaults."""
    sides = st.tuples(*(st.integers(1, min(side, 5)) for side in spatial))
    optional: dict[str, st.SearchStrategy[Any]] = {
        "alpha": st.sampled_from([1e-300, 1e-30, 1e-3, 0.5, 2, 1e6, 1e300]),
        "partition_size": st.one_of(st.integers(1, 61), st.just(2**63 - 1)),
        "smoothness": st.sampled_from([0, 1e-300, 1e-12, 0.01, 1, 1e6, 1e30, 1e200]),
        "diversity": st.sampled_from([0, 1e-300, 1e-12, 0.1, 10, 1e6, 1e30, 1e200]),
        "penalty_threshold": st.sampled_from([0, 1e-30, 1 / 32, 0.3, 1, 30, 1e30, 1e300]),
        "thresholding": st.sampled_from(["hard", "soft"]),
        "prior_weight": st.sampled_from([0, 1e-30, 1, 1e6, 1e30, 1e200]),
        "compatibility_weight": st.sampled_from([0, 1e-30, 0.5, 1.0]),
        "compatibility_window": st.sampled_from([1, 2, 1000, 2**63 - 1]),
        "compatibility_stride": st.sampled_from([2, 8, 1000, 2**63 - 1]),
        "sweeps": st.sampled_from([1, 2, 3, 9]),
        "restarts": st.sampled_from([2, 3]),
        "resolve_duplicates": st.booleans(),
    }
    chosen = draw(st.fixed_dictionaries({}, optional=optional))
    grid = draw(st.one_of(st.integers(1, min(*spatial, 5)), sides, sides.map(list), st.just("random")))
    return chosen | {"grid_size": grid}


@st.composite
def batches(draw: st.DrawFn, most: int = 60) -> Batch:
    """Draw the arguments of `comixup_batch`."""
    size, classes = draw(st.integers(1, most)), draw(st.integers(1, 12))
    dimensions = draw(st.integers(1, 3))
    spatial = tuple(draw(st.integers(1, _LONGEST[dimensions])) for _ in range(dimensions))
    seed = draw(st.integers(0, 2**32 - 1))
    draws = np.random.default_rng(seed)
    channels = draw(st.integers(1, 3))
    pixels = values(draws, (size, channels, *spatial), draw(st.sampled_from(MAGNITUDES)))
    pixels = pixels * draws.choice([-1, 1], size=pixels.shape)
    inputs = laid_out(tensor_of(pixels, draw(st.sampled_from(FLOATS))), draw(st.sampled_from(LAYOUTS)))
    kind = draw(st.sampled_from(["integer", "one-hot", "soft"]))
    dtypes = {"integer": INTEGERS, "one-hot": [*INTEGERS, *FLOATS, torch.bool], "soft": FLOATS}[kind]
    targets = _targets(draws, size, classes, kind, draw(st.sampled_from(dtypes)))
    maps = values(draws, (size, *spatial), draw(st.sampled_from(MAGNITUDES)))
    saliency = tensor_of(maps, draw(st.sampled_from(FLOATS)))
    return Batch(inputs, targets, saliency, classes, seed, draw(hyperparameters(spatial)))
