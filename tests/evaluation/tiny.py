"""Make sources from images that are given as tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from examples.evaluation.source import Source


def make_source(images: Tensor, targets: Tensor, batch_size: int = 2, **settings: Any) -> Source:
    return Source(DataLoader(TensorDataset(images, targets), batch_size, **settings), torch.device("cpu"))
