"""Initial weights."""

from __future__ import annotations

from torch import nn


def initialise_convolutions(network: nn.Module) -> None:
    """Draw the weights of all convolutions in place, such that the backward pass preserves the variance.

    Source: He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
