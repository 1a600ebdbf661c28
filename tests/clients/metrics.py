"""Accuracies and other uses of the labels apart from the loss."""

from __future__ import annotations

from functools import partial
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import F1Score, MetricCollection
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.functional import accuracy

from tests.clients.base import Client, Score
from tests.clients.data import CLASSES, image_loader, make_images, make_loader, small_network
from tests.clients.scores import macro_accuracy


class MetricModule(L.LightningModule):
    """A classifier. Subclasses differ in what they log."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.net = small_network(classes=classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def report(self, logits: Tensor, labels: Tensor) -> None:
        """Log the metrics of a batch."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        images, labels = batch
        logits = self(images)
        self.report(logits, labels)
        return F.cross_entropy(logits, labels)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


class ManualAccuracy(MetricModule):
    """The accuracy in one line."""

    def report(self, logits: Tensor, labels: Tensor) -> None:
        preds = logits.argmax(dim=1)
        self.log("train_acc", (preds == labels).float().mean(), prog_bar=True)


class CountedCorrect(MetricModule):
    """Accuracy from the number of correct predictions, as an integer."""

    def report(self, logits: Tensor, labels: Tensor) -> None:
        correct = torch.eq(logits.max(1)[1], labels).sum().item()
        self.log("train_acc", correct / len(labels))


class TopK(MetricModule):
    """Top-3 accuracy, computed by comparison with expanded labels."""

    def report(self, logits: Tensor, labels: Tensor) -> None:
        best = logits.topk(3, dim=1).indices.t()
        hits = best.eq(labels.view(1, -1).expand_as(best))
        self.log("top3", hits.float().sum() / logits.size(0))


class FunctionalAccuracy(MetricModule):
    """The functional accuracy of torchmetrics on predicted classes."""

    def report(self, logits: Tensor, labels: Tensor) -> None:
        acc = accuracy(logits.argmax(1), labels, task="multiclass", num_classes=CLASSES)
        self.log("train_acc", acc, on_epoch=True)


class FunctionalOfLogits(MetricModule):
    """The functional accuracy of torchmetrics on logits. It accepts rows without an error and then returns 0."""

    def report(self, logits: Tensor, labels: Tensor) -> None:
        self.log("train_acc", accuracy(logits, labels, task="multiclass", num_classes=CLASSES, average="micro"))


class NumpyScore(MetricModule):
    """A score from another library, on arrays."""

    def report(self, logits: Tensor, labels: Tensor) -> None:
        from sklearn.metrics import f1_score

        preds = logits.argmax(1).cpu().numpy()
        self.log("train_f1", f1_score(labels.cpu().numpy(), preds, average="macro"))


class ConfusionByBincount(MetricModule):
    """A confusion matrix computed by counting."""

    confusion: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("confusion", torch.zeros(CLASSES, CLASSES, dtype=torch.long))

    def report(self, logits: Tensor, labels: Tensor) -> None:
        cells = labels * CLASSES + logits.argmax(1)
        self.confusion += torch.bincount(cells, minlength=CLASSES**2).view(CLASSES, CLASSES)


class CollectionOfMetrics(MetricModule):
    """Several metrics in a collection, whose values are logged in each step."""

    def __init__(self) -> None:
        super().__init__()
        metrics = {
            "micro": MulticlassAccuracy(CLASSES, average="micro"),
            "f1": F1Score("multiclass", num_classes=CLASSES),
        }
        self.train_metrics = MetricCollection(metrics, prefix="train_")  # type: ignore[arg-type]

    def report(self, logits: Tensor, labels: Tensor) -> None:
        self.log_dict(self.train_metrics(logits.softmax(1), labels), on_step=False, on_epoch=True)


class PerStageMetrics(MetricModule):
    """Metrics in a `ModuleDict`, updated in the step and computed at the end of the epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics = nn.ModuleDict({"fit": MulticlassAccuracy(CLASSES, average="macro")})

    def report(self, logits: Tensor, labels: Tensor) -> None:
        self.metrics["fit"].update(logits, labels)  # type: ignore[operator]

    def on_train_epoch_end(self) -> None:
        self.log("fit_acc", self.metrics["fit"].compute())  # type: ignore[operator]
        self.metrics["fit"].reset()  # type: ignore[operator]


class CollectedOutputs(MetricModule):
    """The outputs of an epoch collected in a list, and their mean logged at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: list[Tensor] = []

    def report(self, logits: Tensor, labels: Tensor) -> None:
        self.outputs.append(logits.detach().softmax(1).amax(1))

    def on_train_epoch_end(self) -> None:
        self.log("mean_confidence", torch.cat(self.outputs).mean())
        self.outputs.clear()


def ten_class_loader() -> Any:
    return make_loader(make_images(classes=10))


def refused(name: str, style: str, module: Any, needed: str, loader: Any = image_loader) -> Client:
    return Client(
        name, style, module, loader, lines=1, needed=needed, names_line=True, refusal=r"argmax\(1\)|SoftTarget|one_hot"
    )


_REMEDY = "use `targets.argmax(1)`, `SoftTargetAccuracy` or a torchmetrics object"
CLIENTS = [
    refused(
        "manual_accuracy", "`(preds == y).float().mean()`", ManualAccuracy, "it compares classes with rows: " + _REMEDY
    ),
    refused(
        "manual_accuracy_silent",
        "the same where batch and classes are equally many",
        partial(ManualAccuracy, 10),
        "it compares classes with rows: " + _REMEDY,
        ten_class_loader,
    ),
    refused(
        "counted_correct",
        "`torch.eq(preds, y).sum().item()`",
        CountedCorrect,
        "it compares classes with rows: " + _REMEDY,
    ),
    refused("top_k", "top-3 by `eq` and `expand_as`", TopK, "it compares classes with rows: " + _REMEDY),
    refused(
        "functional_accuracy",
        "`torchmetrics.functional.accuracy` of classes",
        FunctionalAccuracy,
        "a function cannot be shown the clean batch: " + _REMEDY,
    ),
    refused(
        "functional_of_logits",
        "`torchmetrics.functional.accuracy` of logits",
        FunctionalOfLogits,
        "a function cannot be shown the clean batch: " + _REMEDY,
    ),
    Client(
        "numpy_score",
        "a score of scikit-learn on arrays",
        NumpyScore,
        image_loader,
        lines=1,
        refusal="CoMixup",
        needed="the score does not accept rows: use `targets.argmax(1)`",
    ),
    refused(
        "bincount", "confusion matrix by `bincount`", ConfusionByBincount, "it counts labels, but gets rows: " + _REMEDY
    ),
    Client(
        "collection",
        "`MetricCollection`, `log_dict` of its values",
        CollectionOfMetrics,
        image_loader,
        scores=(Score("train_micro", "train_metrics"),),
    ),
    Client(
        "metrics_by_stage",
        "metrics in a `ModuleDict`, computed at the end of the epoch",
        PerStageMetrics,
        image_loader,
        scores=(Score("fit_acc", "metrics.fit", macro_accuracy),),
    ),
    Client(
        "collected_outputs",
        "outputs collected in a list",
        CollectedOutputs,
        image_loader,
        needed="the list gets the outputs of the clean and of the mixed batch",
    ),
]
