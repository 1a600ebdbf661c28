"""The classification routine of torch-uncertainty, whose step has the batch as its only argument."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from tests.clients.base import Client
from tests.clients.data import CLASSES, make_images, make_loader, small_network
from tests.packages.checking import refusal, train_as_by_hand

routines = pytest.importorskip("torch_uncertainty.routines")
losses = pytest.importorskip("torch_uncertainty.losses")
methods = pytest.importorskip("torch_uncertainty.methods")
transforms = pytest.importorskip("torch_uncertainty.transforms")
layers = pytest.importorskip("torch_uncertainty.layers")
Base: Any = routines.ClassificationRoutine


def make_routine(
    loss: nn.Module, network: Callable[[], nn.Module] | None = None, classes: int = CLASSES, **settings: Any
) -> Any:
    model = small_network(3, classes) if network is None else network()

    class Routine(Base):  # type: ignore[misc]
        """Adds an optimizer for the copy of the model that is trained."""

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)

    return Routine(model, classes, loss, **settings)


def make_client(loss: Callable[[], nn.Module], **settings: Any) -> Client:
    return Client(
        name="torch_uncertainty",
        style="",
        make_module=lambda: make_routine(loss(), **settings),
        make_loader=lambda: make_loader(make_images(channels=3, classes=max(settings.get("classes", CLASSES), 2))),
        trainer={"limit_val_batches": 0},  # its calibration errors take seconds
    )


def packed_network() -> nn.Module:
    """Return an ensemble of two in one network. Its logits have two rows for each sample."""
    return nn.Sequential(
        layers.PackedConv2d(3, 8, 3, alpha=2, num_estimators=2, first=True),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        layers.PackedLinear(32, CLASSES, alpha=2, num_estimators=2, last=True),
    )


def averaged_network() -> nn.Module:
    """Return a network with a moving average, which the step itself updates."""
    average: nn.Module = methods.EMA(small_network(3), momentum=0.9)
    return average


def packed_client() -> Client:
    return make_client(
        nn.CrossEntropyLoss,
        network=packed_network,
        is_ensemble=True,
        format_batch_fn=transforms.RepeatTarget(num_repeats=2),
    )


UNCHANGED = {
    "cross-entropy": make_client(nn.CrossEntropyLoss),
    "smoothed": make_client(lambda: nn.CrossEntropyLoss(label_smoothing=0.1)),
    "binary": make_client(nn.BCEWithLogitsLoss, classes=1),
    "moving average": make_client(nn.CrossEntropyLoss, network=averaged_network),
    "packed ensemble": packed_client(),
    "confidence penalty": make_client(lambda: losses.ConfidencePenaltyLoss(reg_weight=0.1)),
}


@pytest.mark.parametrize("client", UNCHANGED.values(), ids=UNCHANGED)
def test_the_routine_trains_unchanged(client: Client) -> None:
    run, replay = train_as_by_hand(client)
    assert float(run.trainer.callback_metrics["train_loss"]) == pytest.approx(replay.losses[-1][1], rel=1e-6)


MIXUP = {"mixtype": "mixup", "mixup_alpha": 1.0}
REFUSED = {
    "focal": (make_client(lambda: losses.FocalLoss(gamma=1.0)), "comixup_loss"),
    "evidential": (make_client(losses.DECLoss), "comixup_loss"),
    "its own MixUp": (make_client(nn.CrossEntropyLoss, mixup_params=MIXUP), "must not be counted, found one_hot"),
}


@pytest.mark.parametrize(("client", "expected"), REFUSED.values(), ids=REFUSED)
def test_losses_and_mixup_for_integers_are_refused(client: Client, expected: str) -> None:
    assert re.search(expected, refusal(client))
