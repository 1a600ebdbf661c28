"""What a client is: a project in miniature, as its authors had it before they heard of Co-Mixup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import lightning.pytorch as pl
from torch import Tensor

from tests.clients.scores import micro_accuracy

Getter = Callable[[Any], Any]
# (module, its optimizers, clean batch, mixed batch, batch_idx): one step of a module that optimizes manually, by hand.
HandStep = Callable[[Any, list[Any], Any, Any, int], Tensor]


@dataclass(frozen=True)
class Score:
    """A logged score of the targets, and the function that computes it by hand from the clean batches of an epoch."""

    key: str  # in `trainer.callback_metrics`
    metric: str  # attribute path of the metric in the module
    by_hand: Callable[[Tensor, Tensor], Tensor] = micro_accuracy


@dataclass(frozen=True)
class Client:
    """A module with its data, and what the callback is expected to do with it."""

    name: str
    style: str  # for the table
    make_module: Callable[[], pl.LightningModule]
    make_loader: Callable[[], Any]  # a loader, several, or a data module
    settings: dict[str, Any] = field(default_factory=dict)  # arguments of CoMixup; {}: the callback alone
    lines: int = 0  # to change beyond adding the callback
    needed: str = ""  # for the table: what was needed, or the refusal in a few words
    refusal: str | None = None  # regular expression of the error and its notes; None: the client trains
    names_line: bool = False  # whether the refusal names the line of this client's file
    told: str | None = None  # regular expression of what is said once
    inputs: Getter = itemgetter(0)  # where the batch has its inputs
    targets: Getter = itemgetter(1)
    trainer: dict[str, Any] = field(default_factory=dict)  # further arguments of the Trainer
    trainer_class: Callable[..., Any] = pl.Trainer  # or that of the package `pytorch_lightning`
    callbacks: Callable[[], list[pl.Callback]] = list  # of the project itself
    scores: tuple[Score, ...] = ()
    loss_key: str | None = None  # the logged mean of the training loss
    hand_step: HandStep | None = None
    tolerance: float = 0.0  # of the parameters and buffers
