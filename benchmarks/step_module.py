"""The modules and networks for timing steps: a ResNet-18 for images of 32 × 32 and a ResNet-50."""

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
_BOTTLENECKS = (3, 4, 6, 3)  # in each stage of a ResNet-50
_EXPANSION = 4


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
    """Return a ResNet-18 for images of 32 × 32, with a first convolution of 3 × 3 and no pooling after it."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    width = 64
    for outputs, stride in _WIDTHS:
        layers += [Block(width, outputs, stride), Block(outputs, outputs, 1)]
        width = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, CLASSES))


class Bottleneck(nn.Module):
    """A residual block of three convolutions. The middle one has a quarter of the channels."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = _EXPANSION * width
        self.body = nn.Sequential(
            *(nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()),
            *(nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()),
            *(nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)),
        )
        self.skip: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.skip = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        return F.relu(self.body(inputs) + self.skip(inputs))


def make_resnet50() -> nn.Sequential:
    """Return a ResNet-50 for images of 224 × 224."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    layers.append(nn.MaxPool2d(3, 2, 1))
    channels = 64
    for (width, stride), count in zip(_WIDTHS, _BOTTLENECKS, strict=True):
        for index in range(count):
            layers.append(Bottleneck(channels, width, stride if index == 0 else 1))
            channels = _EXPANSION * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES))


class Lit(CoMixupMixin, pl.LightningModule):
    """A module that trains a network. A transform may mix its batches within the timed step."""

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
    """A module that does only two forwards and two backwards, in the hooks that the callback uses."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        with self.trainer.precision_plugin.forward_context():
            loss = F.cross_entropy(self(batch[0]), batch[1])
        self.clean_gradient = torch.autograd.grad(loss, list(self.parameters()))

    def on_before_backward(self, loss: Tensor) -> None:
        for parameter, gradient in zip(self.parameters(), self.clean_gradient, strict=True):
            parameter.grad = gradient
