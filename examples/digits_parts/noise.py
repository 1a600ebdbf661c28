"""Handwritten digits, some of them with wrong labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from examples.digits_parts.data import Data, load_images, split_images
from examples.digits_parts.sizes import CLASSES

_SIDE = 16  # of the enlarged digits, so that a cell of Co-Mixup's 4 × 4 grid has 4 × 4 pixels


def draw_noisy(train_images: int, wrong_labels: float, seed: int) -> Data:
    """Draw training digits, some with wrong labels. All other digits are for testing, with correct labels.

    Args:
        train_images: Number of training digits.
        wrong_labels: Share of their labels to replace.
        seed: Seed of all draws.
    """
    images, labels = load_images(_SIDE)
    train, test = split_images(labels, train_images, seed)
    noisy = replace_labels(labels[train], wrong_labels, torch.Generator().manual_seed(seed))
    return Data(TensorDataset(images[train], noisy), TensorDataset(images[test], labels[test]))


def replace_labels(labels: Tensor, share: float, draws: torch.Generator) -> Tensor:
    """Replace a share of the labels with random ones. One in ten of these is right by chance."""
    is_replaced = torch.rand(len(labels), generator=draws) < share
    return torch.where(is_replaced, torch.randint(CLASSES, labels.shape, generator=draws), labels)
