"""Rows of the tables of errors, the right arguments that they change, and the check of the error messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lightning_comixup import (
    CoMixup,
    CoMixupMixin,
    SoftTargetAccuracy,
    comixup_batch,
    compute_saliency,
    energy,
    optimize_masks,
    plot_mixed_batch,
)


class Row(NamedTuple):
    """A call with wrong arguments, and three parts of the error message, in order."""

    function: str
    changes: dict[str, Any]  # to the right arguments
    error: type[Exception]
    rule: str
    found: str
    remedy: str

    @property
    def name(self) -> str:
        return f"{self.function}-{'-'.join(self.changes)}-{self.found[:30]}"


class Head(CoMixupMixin, nn.Module):
    """A module with the mixin's losses, for inputs (B, 3, 8, 8) and four classes."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(192, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.linear(inputs.flatten(1))
        return logits


class Changed(nn.Module):
    """Listed as a base before a module's class, this makes the module return something other than logits."""

    def __init__(self, change: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.change = change

    def forward(self, inputs: Tensor) -> Any:
        return self.change(super().forward(inputs))


def _count(preds: Any, target: Any, top_k: Any = 1) -> None:
    SoftTargetAccuracy(top_k).update(preds, target)


CALLS: dict[str, Callable[..., Any]] = {
    "CoMixup": CoMixup,
    "comixup_batch": comixup_batch,
    "compute_saliency": compute_saliency,
    "optimize_masks": optimize_masks,
    "energy": energy,
    "comixup_loss": lambda **arguments: Head().comixup_loss(**arguments),
    "comixup_clean_loss": lambda **arguments: Head().comixup_clean_loss(**arguments),
    "SoftTargetAccuracy": _count,
    "plot_mixed_batch": plot_mixed_batch,
}


def right_arguments(function: str) -> dict[str, Any]:
    """Return correct arguments, in new tensors."""
    draws = torch.Generator().manual_seed(0)
    inputs, targets = torch.rand(4, 3, 8, 8, generator=draws), torch.arange(4)
    saliency = torch.rand(4, 8, 8, generator=draws)
    unary, matrix = -np.full((3, 2, 2), 0.25), np.eye(3)
    batch = {"inputs": inputs, "targets": targets}
    if function == "comixup_batch":
        return batch | {"saliency": saliency, "num_classes": 4, "generator": 0}
    if function == "plot_mixed_batch":
        mixed = comixup_batch(inputs, targets, saliency, num_classes=4, generator=0)
        return batch | {"mixed": mixed, "saliency": saliency, "class_names": ["a", "b", "c", "d"]}
    own: dict[str, dict[str, Any]] = {
        "CoMixup": {},
        "compute_saliency": batch | {"module": Head()},
        "optimize_masks": {"unary": unary, "compatibility": matrix, "generator": 0},
        "energy": {"masks": np.full((2, 3, 2, 2), 1 / 3), "unary": unary, "compatibility": matrix},
        "comixup_loss": {"logits": inputs[:, 0, 0, :4], "targets": targets},
        "comixup_clean_loss": batch,
        "SoftTargetAccuracy": {"preds": torch.eye(4), "target": targets},
    }
    return own[function]


def assert_answers(message: str, rule: str, found: str, remedy: str) -> None:
    """Check that a message states the rule, the value found and what to do, in this order, ending with a full stop."""
    places = [message.find(rule), message.find(f"found {found}"), message.rfind(remedy)]
    assert "must" in rule
    assert -1 < places[0] < places[1] < places[2], f"{places} in: {message}"
    assert message.endswith(".")
