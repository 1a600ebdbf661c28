"""A client: a miniature of a project, as it was written before its authors heard of Co-Mixup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import lightning.pytorch as pl
from torch import Tensor

from tests.clients.scores import micro_accuracy

Getter = Callable[[Any], Any]
# One step, by hand, of a module with manual optimization: (module, optimizers, clean batch, mixed batch, batch_idx).
HandStep = Callable[[Any, list[Any], Any, Any, int], Tensor]


@dataclass(frozen=True)
class Score:
    """A logged score, and a function that computes it by hand from predictions and targets of the clean batches."""

    key: str  # in `trainer.callback_metrics`
    metric: str  # attribute path of the metric in the module
    by_hand: Callable[[Tensor, Tensor], Tensor] = micro_accuracy


@dataclass(frozen=True)
class Client:
    """A module with its data, and the expected result of training it with the callback."""

    name: str
    style: str  # for the table
    make_module: Callable[[], pl.LightningModule]
    make_loader: Callable[[], Any]  # one or more loaders, or a data module
    settings: dict[str, Any] = field(default_factory=dict)  # arguments of CoMixup, {} for none
    lines: int = 0  # number of lines to change, besides adding the callback
    needed: str = ""  # for the table: the change that was needed, or the refusal in a few words
    refusal: str | None = None  # regular expression for the error and its notes, None if the client trains
    names_line: bool = False  # whether the refusal names a line of this client's file
    told: str | None = None  # regular expression for a message that is shown once
    inputs: Getter = itemgetter(0)  # gets the inputs from a batch
    targets: Getter = itemgetter(1)
    trainer: dict[str, Any] = field(default_factory=dict)  # further arguments of the Trainer
    trainer_class: Callable[..., Any] = pl.Trainer  # or the Trainer of the package `pytorch_lightning`
    callbacks: Callable[[], list[pl.Callback]] = list  # the project's own callbacks
    scores: tuple[Score, ...] = ()
    loss_key: str | None = None  # the logged mean of the training loss
    hand_step: HandStep | None = None
    tolerance: float = 0.0  # for the parameters and buffers
