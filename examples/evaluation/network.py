"""A network from a checkpoint, and its logits."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from examples.command_line import CommandError
from examples.evaluation.source import Batch


class Predictions(NamedTuple):
    """(N, K) float32 logits and (N,) integer targets, on the CPU."""

    logits: Tensor
    targets: Tensor

    @property
    def is_right(self) -> Tensor:
        """Return (N) bool: whether the class of the largest logit is the target."""
        return self.logits.argmax(1) == self.targets


def load_network(module: str, checkpoint: Path, arguments: dict[str, Any], device: torch.device) -> nn.Module:
    """Load a network for evaluation.

    Args:
        module: Import path of a LightningModule, or of a function that takes the checkpoint's path and returns a
            network.
        checkpoint: The file to load.
        arguments: Further arguments for `load_from_checkpoint` or the function.
        device: Device for the network.

    Raises:
        CommandError: If there is nothing at the import path, or it cannot be imported.
        TypeError: If the loaded object is not a network.
    """
    try:
        found = pkgutil.resolve_name(module)
    except (ImportError, AttributeError, ValueError) as error:
        raise CommandError(
            f"--module must be the import path of a LightningModule or of a function, found {module}: {error}. "
            "Run this where it can be imported, or set PYTHONPATH."
        ) from error
    load = getattr(found, "load_from_checkpoint", found)
    network = load(checkpoint, **arguments)
    if not isinstance(network, nn.Module):
        raise TypeError(
            f"{module} must load a torch.nn.Module, found {type(network).__name__}. Name a LightningModule, or a "
            "function that takes the checkpoint's path and returns a network."
        )
    return network.to(device).eval()


@torch.no_grad()
def predict(network: nn.Module, batches: Iterable[Batch]) -> Predictions:
    """Return the logits of all batches.

    Raises:
        ValueError: If there are no batches.
        TypeError: If the network does not return (B, K) logits.
    """
    logits, targets = [], []
    for batch in batches:
        found = network(batch.images)
        if not isinstance(found, Tensor) or found.ndim != 2 or found.shape[1] < 2:
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise TypeError(
                f"The network must return (B, K) logits of at least 2 classes, found {shape}. Wrap it in a module that "
                "does."
            )
        logits.append(found.float().cpu())
        targets.append(batch.targets.cpu())
    if not logits:
        raise ValueError("There must be images to predict, found none. Give a data set that has some.")
    return Predictions(torch.cat(logits), torch.cat(targets))
