"""The study's data: Fashion-MNIST's files, and splits."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import torch

from examples.study_parts.data import has_fashion, split_digits, split_fashion

_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte")


def write_fashion(folder: Path, size: int = 200) -> None:
    """Write a small Fashion-MNIST, one of its files gzipped: image and label are known from the index."""
    labels = (np.arange(size) % 10).astype(np.uint8)
    images = np.broadcast_to(labels[:, None, None], (size, 28, 28))
    for name, values in zip(_NAMES, (images, labels, images[:50], labels[:50]), strict=True):
        data = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes() + values.tobytes()
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


def test_fashion(tmp_path: Path) -> None:
    assert not has_fashion(tmp_path)
    write_fashion(tmp_path)
    assert has_fashion(tmp_path)
    train, test = (part.tensors for part in split_fashion(tmp_path, 40, seed=0))
    assert train[0].shape == (40, 1, 28, 28)
    assert torch.equal(train[0][:, 0, 0, 0], train[1] / 255)
    assert torch.equal(train[1].bincount(), torch.full((10,), 4))
    assert len(test[0]) == 50


def test_digits_are_drawn_by_seed_and_never_tested_on() -> None:
    train, test = (part.tensors for part in split_digits(100, seed=0))
    assert (len(train[0]), len(test[0])) == (100, 1697)
    distances = torch.cdist(train[0].flatten(1), test[0].flatten(1))
    assert float(distances.min()) > 0
    assert torch.equal(split_digits(100, seed=0).train.tensors[0], train[0])
    assert not torch.equal(split_digits(100, seed=1).train.tensors[0], train[0])
