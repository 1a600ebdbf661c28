"""Networks whose `forward` is missing, gets the batch, or does not return a single tensor of logits."""

from __future__ import annotations

from operator import itemgetter
from typing import Any, NamedTuple

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from tests.clients.base import Client
from tests.clients.data import (
    CLASSES,
    image_loader,
    make_images,
    make_labels,
    make_loader,
    small_backbone,
    small_network,
)


class WithoutForward(L.LightningModule):
    """The step calls the network itself."""

    def __init__(self) -> None:
        super().__init__()
        self.net = small_network()
        self.loss_fn = nn.CrossEntropyLoss()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, labels = batch
        loss: Tensor = self.loss_fn(self.net(images), labels)
        self.log("loss/train", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.net.parameters(), lr=5e-3)


class ForwardOfBatch(L.LightningModule):
    """`forward` gets the whole batch, a dictionary, and returns another dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = small_backbone(), nn.Linear(96, CLASSES)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        features = self.encoder(batch["image"])
        return {"features": features, "logits": self.decoder(features)}

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        output = self(batch)
        loss = F.cross_entropy(output["logits"], batch["label"])
        self.log("train_loss", loss, on_epoch=True, on_step=False, batch_size=len(batch["label"]))
        return {"loss": loss, **{name: part.detach() for name, part in output.items()}}

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


class Probabilities(L.LightningModule):
    """`forward` returns probabilities, for prediction."""

    def __init__(self) -> None:
        super().__init__()
        self.net = small_network()

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.net(x), dim=1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        return F.nll_loss(torch.log(self(x) + 1e-7), y)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class ProbabilitiesApart(Probabilities):
    """`forward` returns probabilities, but the step uses the logits."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return F.cross_entropy(self.net(batch[0]), batch[1])


class Prediction(NamedTuple):
    logits: Tensor
    features: Tensor


class FeaturesAndLogits(L.LightningModule):
    """`forward` returns a tuple, and the loss includes a penalty on the features."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.fc = small_backbone(), nn.Linear(96, CLASSES)
        self.accuracy = MulticlassAccuracy(CLASSES, average="macro")

    def forward(self, x: Tensor) -> Prediction:
        features = self.backbone(x)
        return Prediction(self.fc(features), features)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits, features = self(x)
        loss = F.cross_entropy(logits, y) + 1e-2 * features.pow(2).mean()
        self.accuracy(logits, y)
        self.log("acc", self.accuracy, on_step=True, on_epoch=False)
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.05)


class AuxiliaryHead(L.LightningModule):
    """A second head half-way through the network, in training only, with a weighted loss."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU())
        self.aux = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(96, CLASSES))
        self.top = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(384, CLASSES))

    def forward(self, x: Tensor) -> Any:
        middle = self.stem(x)
        return (self.top(middle), self.aux(middle)) if self.training else self.top(middle)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        logits, aux_logits = self(x)
        return F.cross_entropy(logits, y) + 0.4 * F.cross_entropy(aux_logits, y)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)


def image_dict_loader() -> Any:
    images, labels = make_images()[0], make_labels()
    return make_loader(lambda index: {"image": images[index], "label": labels[index]})


CLIENTS = [
    Client(
        "without_forward",
        "no `forward`: the step calls `self.net`",
        WithoutForward,
        image_loader,
        loss_key="loss/train",
    ),
    Client(
        "forward_of_batch",
        "`forward(batch)` takes the dictionary, returns one",
        ForwardOfBatch,
        image_dict_loader,
        inputs=itemgetter("image"),
        targets=itemgetter("label"),
        loss_key="train_loss",
    ),
    Client(
        "probabilities",
        "`forward` returns probabilities, `F.nll_loss` of their logarithm",
        Probabilities,
        image_loader,
        lines=1,
        refusal="cross_entropy|comixup_loss",
        names_line=True,
        needed="`F.nll_loss` does not accept rows: use `self.comixup_loss` or `F.cross_entropy`, on the same values",
    ),
    Client(
        "probabilities_apart",
        "`forward` returns probabilities, the step uses the logits",
        ProbabilitiesApart,
        image_loader,
    ),
    Client(
        "features_and_logits",
        "`forward` returns a tuple of logits and features",
        FeaturesAndLogits,
        image_loader,
        loss_key="loss",
    ),
    Client("auxiliary_head", "auxiliary head, loss + 0.4 of its loss", AuxiliaryHead, image_loader),
]
