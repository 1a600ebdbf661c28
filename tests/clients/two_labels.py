"""Two heads, and two labels for each image."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.clients.base import Client
from tests.clients.data import CLASSES, make_images, make_loader, small_backbone


class TwoLabels(L.LightningModule):
    """Each image has a fine and a coarse label, and the batch is a list of three."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.fine, self.coarse = small_backbone(), nn.Linear(96, CLASSES), nn.Linear(96, 2)

    def losses(self, images: Tensor, fine: Tensor, coarse: Tensor) -> Tensor:
        features = self.trunk(images)
        return F.cross_entropy(self.fine(features), fine) + 0.5 * F.cross_entropy(self.coarse(features), coarse)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.losses(*batch)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.05)


class TwoNamedLabels(TwoLabels):
    """The same with a dictionary."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.losses(batch["image"], batch["fine"], batch["coarse"])


def two_label_loader() -> Any:
    images, fine = make_images()
    return make_loader((images, fine, fine // 2))


def named_label_loader() -> Any:
    images, fine = make_images()
    return make_loader(lambda index: {"image": images[index], "fine": fine[index], "coarse": fine[index] // 2})


CLIENTS = [
    Client(
        "two_labels",
        "two heads, batch `[images, fine, coarse]`",
        TwoLabels,
        two_label_loader,
        told=r"\b2\b.*unmixed|unmixed.*\b2\b",
        needed="the second label stays unmixed, as a note says once; `also_average=[2]` mixes it",
    ),
    Client(
        "two_labels_averaged",
        "two heads, both labels mixed",
        TwoLabels,
        two_label_loader,
        settings={"also_average": [2]},
        lines=1,
        needed="`also_average=[2]`",
    ),
    Client(
        "two_named_labels",
        "two heads, a dictionary with two labels",
        TwoNamedLabels,
        named_label_loader,
        lines=1,
        refusal=r"(?s)(?=.*target_key)(?=.*fine)(?=.*coarse)",
        needed='it is not clear which label to mix: set `target_key="fine"`',
    ),
    Client(
        "two_named_labels_averaged",
        "two heads, a dictionary, both labels mixed",
        TwoNamedLabels,
        named_label_loader,
        settings={"target_key": "fine", "also_average": ["coarse"]},
        lines=2,
        needed='`target_key="fine"`, `also_average=["coarse"]`',
        inputs=itemgetter("image"),
        targets=itemgetter("fine"),
    ),
]
