"""What the step is timed with: modules around a network, and a ResNet-18 for images of 32 × 32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.data import CLASSES
from lightning_comixup import CoMixupMixin

_WIDTHS = ((64, 1), (128, 2), (256, 2), (512, 2))


class Block(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()),
            *(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)),
        )
        self.skip: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.skip = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        return F.relu(self.body(inputs) + self.skip(inputs))


def make_resnet() -> nn.Sequential:
    """Return a ResNet-18 for images of 32 × 32: a first convolution of 3 × 3 and no pooling after it."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    width = 64
    for outputs, stride in _WIDTHS:
        layers += [Block(width, outputs, stride), Block(outputs, outputs, 1)]
        width = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, CLASSES))


class Lit(CoMixupMixin, pl.LightningModule):
    """A network in training; a transform may mix its batches within the timed step."""

    def __init__(self, network: nn.Module, transform: Callable[..., Any] | None = None) -> None:
        super().__init__()
        self.network = network
        self.transform = transform

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(inputs)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        inputs, targets = batch if self.transform is None else self.transform(*batch)
        return self.comixup_loss(self(inputs), targets)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


class Floor(Lit):
    """Two forwards and two backwards in the hooks that the callback uses, and nothing else."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        with self.trainer.precision_plugin.forward_context():
            loss = F.cross_entropy(self(batch[0]), batch[1])
        self.clean_gradient = torch.autograd.grad(loss, list(self.parameters()))

    def on_before_backward(self, loss: Tensor) -> None:
        for parameter, gradient in zip(self.parameters(), self.clean_gradient, strict=True):
            parameter.grad = gradient
