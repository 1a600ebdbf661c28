"""A module that records its outputs in both passes, and comparisons of its metrics with metrics computed by hand."""

from __future__ import annotations

from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassRecall

from lightning_comixup import CoMixup
from lightning_comixup.training.metric_instances import find_metrics
from tests.tiny import CLASSES, fit, is_clean_pass, make_network


class Outputs(NamedTuple):
    """The outputs of a step."""

    logits: Tensor
    labels: Tensor
    loss: Tensor


class Noting(pl.LightningModule):
    """A user's module. Subclasses define its metrics and how it uses them."""

    def __init__(self) -> None:
        super().__init__()
        self.network = make_network()
        self.clean: list[Outputs] = []
        self.stepped: list[Outputs] = []  # mixed, unless the batch stayed unmixed
        self.build()

    def build(self) -> None:
        """Create the metrics."""

    def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> Any:
        """Call the metrics. If this returns a value, the step returns it in place of the loss."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        logits = self.network(batch[0])
        loss = F.cross_entropy(logits, batch[1])
        notes = self.clean if is_clean_pass(self) else self.stepped
        notes.append(Outputs(logits.detach().clone(), batch[1].clone(), loss.detach().clone()))
        output = self.report(logits, batch[1], loss)
        return loss if output is None else output

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train(module: Noting, *callbacks: pl.Callback, **settings: Any) -> pl.Trainer:
    """Train for one epoch of four batches, and check that no metric keeps a replaced method."""
    metrics = find_metrics(module)
    before = [_own_calls(metric) for metric in metrics]
    try:
        return fit(module, *(callbacks or (CoMixup(seed=0, log=False),)), **({"max_epochs": 1} | settings))
    finally:
        assert [_own_calls(metric) for metric in metrics] == before


def _own_calls(metric: Any) -> dict[str, Any]:
    """Return the methods of a metric that are set on the instance."""
    return {name: value for name, value in vars(metric).items() if name in ("forward", "update", "compute", "reset")}


def assert_same(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


def of_batches(metric: Any, batches: list[Any], how: str = "update") -> Any:
    """Return a metric's value for some batches only, each a tuple of arguments."""
    metric.reset()
    for arguments in batches:
        getattr(metric, how)(*arguments)
    return metric.compute()


def micro() -> MulticlassAccuracy:
    """Return a new accuracy over all samples."""
    return MulticlassAccuracy(CLASSES, average="micro")


def accuracy(batches: list[Outputs]) -> Tensor:
    hits = torch.cat([outputs.logits.argmax(1) == outputs.labels for outputs in batches])
    return hits.float().mean()


class Simple(Noting):
    """Counts hits and averages the loss."""

    def build(self) -> None:
        self.acc, self.mean = micro(), MeanMetric()

    def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> Any:
        self.acc(logits, labels)
        self.mean(loss)

    def check(self) -> None:
        """Check the metrics of a run. Batches that stay unmixed have no other clean pass, so their step counts."""
        unmixed = [outputs for outputs in self.stepped if outputs.labels.ndim == 1]
        assert_same(self.acc.compute(), accuracy(self.clean + unmixed))
        assert_same(self.mean.compute(), of_batches(self.mean, [(outputs.loss,) for outputs in self.stepped]))


class Logging(Noting):
    """Logs metrics in every possible way."""

    def build(self) -> None:
        self.by_object, self.by_value, self.updated, self.mean = micro(), micro(), micro(), MeanMetric()
        self.group = MetricCollection({"acc": micro(), "recall": MulticlassRecall(CLASSES)}, prefix="g/")
        self.values = self.group.clone(prefix="v/")

    def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        self.log("value", self.by_value(logits, labels), on_epoch=True, batch_size=len(logits))
        self.by_object(logits, labels)
        self.log("object", self.by_object, on_step=True, on_epoch=True)
        self.updated.update(logits, labels)
        self.log("updated", self.updated, on_step=False, on_epoch=True)
        self.log_dict(self.group, on_step=False, on_epoch=True)
        self.group.update(logits, labels)
        self.log_dict(self.values(logits, labels), on_step=False, on_epoch=True, batch_size=len(logits))
        self.mean(loss)
        self.log("mean", self.mean, on_step=False, on_epoch=True)
        self.log("loss", loss, on_step=False, on_epoch=True, batch_size=1)
