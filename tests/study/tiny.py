"""Small data and results for the tests of the study."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from examples.study_parts.data import Images
from examples.study_parts.plan import Result, Run

_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte")


def write_fashion(folder: Path, size: int = 200) -> None:
    """Write a small Fashion-MNIST with one gzipped file. An image's grey level and label depend on its index."""
    number = np.arange(size)
    labels = (number % 10).astype(np.uint8)
    images = np.broadcast_to(number.astype(np.uint8)[:, None, None], (size, 28, 28))
    for name, values in zip(_NAMES, (images, labels, images[:50] + np.uint8(200), labels[:50]), strict=True):
        data = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes() + values.tobytes()
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


def put_cells(monkeypatch: pytest.MonkeyPatch, size: int = 1200) -> None:
    """Add a fake of the package with the solar cells: 60 × 60 pixels, with a bright upper half in every third image."""
    images = np.zeros((size, 60, 60), np.uint8)
    images[::3, :30] = 255
    probabilities = np.where(np.arange(size) % 3 == 0, 1 / 3, 0.0)
    probabilities[::6] = 2 / 3
    module = ModuleType("elpv_dataset.utils")
    module.load_dataset = lambda: (images, probabilities, np.full(size, "mono"))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "elpv_dataset", ModuleType("elpv_dataset"))
    monkeypatch.setitem(sys.modules, "elpv_dataset.utils", module)


def make_images(size: int = 20, side: int = 8, classes: int = 10) -> Images:
    draws = torch.Generator().manual_seed(0)
    pixels = torch.rand(size, 1, side, side, generator=draws)
    return Images(pixels, torch.randint(0, classes, (size,), generator=draws))


def make_result(
    method: str, budget: int, seed: int, accuracy: float, part: str = "digits", labels: int = 600, steps: int = 7
) -> Result:
    """Return a result whose other measures are computed from its accuracy."""
    run = Run(part, labels, "small", method, budget, seed, steps)
    return Result(*run, accuracy, 0.1, 0.5, accuracy, accuracy / 10, 1 - accuracy, 1.5, accuracy / 20, 0.4, 1800.0)
