"""A module whose step uses the targets in one more way, and its loader."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

from lightning_comixup import CoMixupMixin, SoftTargetAccuracy
from tests.tiny import CLASSES, is_clean_pass, make_data, make_network
from tests.training.planted import Use


class Using(CoMixupMixin, pl.LightningModule):
    """A module whose step uses the targets in one more way."""

    def __init__(self, use: Use) -> None:
        super().__init__()
        self.network, self.use, self.steps = make_network(), use, 0
        self.soft_accuracy, self.accuracy = SoftTargetAccuracy(), MulticlassAccuracy(CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(inputs)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        inputs, targets = batch
        logits = self(inputs)
        self.steps += not is_clean_pass(self)
        self.use(logits, targets)
        return F.cross_entropy(logits, targets)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def make_batches(batch_size: int) -> DataLoader[Any]:
    return DataLoader(TensorDataset(*make_data(20)), batch_size=batch_size)
