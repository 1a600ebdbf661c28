"""Metrics in a step, compared with recorded outputs: metrics of targets use clean batches, others mixed ones."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchmetrics import CatMetric, MeanMetric, MetricCollection, MetricTracker, SumMetric
from torchmetrics import classification as tc
from torchmetrics.wrappers import BootStrapper, Running

from lightning_comixup import SoftTargetAccuracy
from tests.tiny import CLASSES, is_clean_pass
from tests.training.metric_kinds import KINDS, K
from tests.training.metric_modules import Noting, assert_same, of_batches, train


@pytest.mark.filterwarnings(
    "ignore:No (positive|negative) samples", "ignore:The variance of predictions", "ignore:Average precision score"
)
@pytest.mark.parametrize("how", ["forward", "update"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_metrics_of_targets_use_the_clean_batches(kind: str, how: str) -> None:
    build, prepare = KINDS[kind]

    class Module(Noting):
        def build(self) -> None:
            self.metrics: Any = nn.ModuleDict(build())

        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
            for metric in self.metrics.values():
                (metric if how == "forward" else metric.update)(*prepare(logits, labels))

    module = Module()
    train(module)
    batches = [prepare(logits, labels) for logits, labels, _ in module.clean]
    assert len(batches) == len(module.stepped) == 4
    for name, metric in module.metrics.items():
        if name == "window":
            assert_same(metric.compute(), of_batches(metric.base_metric, batches[-2:]))
        else:
            assert_same(metric.compute(), of_batches(metric, batches, how))


def test_other_metrics_use_the_mixed_batches() -> None:
    class Module(Noting):
        def build(self) -> None:
            self.means: Any = nn.ModuleList([MeanMetric(), MeanMetric()])
            self.all, self.sums, self.window = CatMetric(), SumMetric(), Running(MeanMetric(), window=2)
            self.both = MetricCollection([MeanMetric(), SumMetric()])

        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
            self.means[0](loss, weight=len(logits))
            self.means[1].update(logits.detach())
            for metric in (self.all, self.sums, self.window, self.both):
                metric(loss)

    module = Module()
    train(module)
    losses = [(outputs.loss,) for outputs in module.stepped]
    weighted = [(outputs.loss, len(outputs.logits)) for outputs in module.stepped]
    assert_same(module.means[0].compute(), of_batches(module.means[0], weighted))
    assert_same(module.means[1].compute(), of_batches(module.means[1], [o[:1] for o in module.stepped]))
    for metric in (module.all, module.sums, module.both):
        assert_same(metric.compute(), of_batches(metric, losses))
    assert_same(module.window.compute(), of_batches(MeanMetric(), losses[-2:]))


def test_resets_within_a_step_happen_once_and_lose_nothing() -> None:
    class Module(Noting):
        def build(self) -> None:
            self.ending, self.beginning = tc.MulticlassAccuracy(**K), tc.MulticlassAccuracy(**K)
            self.mean, self.group = MeanMetric(), MetricCollection([tc.MulticlassRecall(**K)])
            self.values: list[Any] = []

        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
            ends = self.trainer.fit_loop.epoch_loop.batch_idx % 2 == 1
            if not ends:
                self.beginning.reset()
            for metric in (self.ending, self.beginning, self.group):
                metric.update(logits, labels)
            self.mean.update(loss)
            if ends:
                metrics = (self.ending, self.beginning, self.mean, self.group)
                value = [metric.compute() for metric in metrics]
                if not is_clean_pass(self):
                    self.values.append(value)
                for part in (self.ending, self.mean, *self.group.values(copy_state=False)):
                    part.reset()

    module = Module()
    train(module)
    for pair, found in zip((slice(0, 2), slice(2, 4)), module.values, strict=True):
        clean = [outputs[:2] for outputs in module.clean[pair]]
        assert_same(found[0], of_batches(module.ending, clean))
        assert_same(found[1], of_batches(module.ending, clean))
        assert_same(found[2], of_batches(module.mean, [(outputs.loss,) for outputs in module.stepped[pair]]))
        assert_same(found[3], of_batches(module.group, clean))


@pytest.mark.parametrize("window", [None, 3])
def test_a_running_mean_may_be_part_of_the_loss(window: int | None) -> None:
    class Module(Noting):
        def build(self) -> None:
            self.mean = Running(MeanMetric(), window=window) if window else MeanMetric()

        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> Tensor:
            self.mean.update(loss.detach())
            return loss / self.mean.compute()

    module = Module()
    train(module)
    losses = [(outputs.loss,) for outputs in module.stepped]
    assert_same(module.mean.compute(), of_batches(MeanMetric(), losses[-(window or 4) :]))


def test_a_metric_of_labels_in_the_loss_is_refused() -> None:
    class Module(Noting):
        def build(self) -> None:
            self.hinge = tc.MulticlassHingeLoss(**K)

        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> Tensor:
            return loss + self.hinge(logits, labels)

    with pytest.raises(RuntimeError, match="must not be part of the loss"):
        train(Module())


def test_copies_that_a_step_makes_are_independent_metrics() -> None:
    class Module(Noting):
        def build(self) -> None:
            self.acc, self.group = (
                tc.MulticlassAccuracy(**K),
                MetricCollection([tc.MulticlassRecall(**K)]),
            )
            self.kept: list[Any] = []

        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
            for metric in (self.acc, self.group):
                metric.update(logits, labels)
                copies = [copy.deepcopy(metric), metric.clone(), pickle.loads(pickle.dumps(metric))]
                for other in copies:
                    other.reset()
                    other(torch.eye(CLASSES), torch.arange(CLASSES))
                self.kept += copies

    module = Module()
    train(module)
    batches = [outputs[:2] for outputs in module.clean]
    assert_same(module.acc.compute(), of_batches(module.acc, batches))
    assert_same(module.group.compute(), of_batches(module.group, batches))
    for metric in module.kept:
        value = metric.compute()
        assert all(float(part) == 1 for part in (value.values() if isinstance(value, dict) else [value]))
        pickle.dumps(metric)


def test_metrics_are_found_wherever_a_module_keeps_them() -> None:
    class Module(Noting):
        def build(self) -> None:
            self.part = nn.Sequential()
            self.part.acc = tc.MulticlassAccuracy(**K)
            holder = type("Holder", (nn.Module,), {})()
            holder.listed = [tc.MulticlassAccuracy(**K)]
            self.holder = holder
            self.by_stage = {
                "train": {"acc": tc.MulticlassAccuracy(**K)},
                "lists": [(tc.MulticlassAccuracy(**K),)],
            }
            self.tracker = MetricTracker(tc.MulticlassAccuracy(**K))
            self.tracker.increment()
            self.boot: Any = BootStrapper(tc.MulticlassAccuracy(**K), num_bootstraps=3)

        def all(self) -> list[Any]:
            stages: Any = self.by_stage
            return [self.part.acc, self.holder.listed[0], stages["train"]["acc"], stages["lists"][0][0], self.tracker]

        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
            for metric in (*self.all(), self.boot):
                metric.update(logits, labels)

    module = Module()
    train(module)
    expected = of_batches(module.part.acc, [outputs[:2] for outputs in module.clean])
    for metric in module.all():
        assert_same(metric.compute(), expected)
    assert all(metric.update_count <= 4 for metric in module.boot.metrics)  # a bootstrap sample may be empty


def test_the_accuracy_of_soft_targets_sees_the_mixed_batch_in_a_collection_too() -> None:
    class Module(Noting):
        def build(self) -> None:
            parts: dict[str, Any] = {
                "soft": SoftTargetAccuracy(),
                "again": SoftTargetAccuracy(),
                "acc": tc.MulticlassAccuracy(**K),
            }
            self.called, self.updated = MetricCollection(parts), MetricCollection(parts).clone()

        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
            self.called(logits, labels)
            self.updated.update(logits, labels)

    module = Module()
    train(module)
    soft = of_batches(SoftTargetAccuracy(), [outputs[:2] for outputs in module.stepped])
    expected = {
        "acc": of_batches(tc.MulticlassAccuracy(**K), [outputs[:2] for outputs in module.clean]),
        "again": soft,
        "soft": soft,
    }
    assert_same(module.called.compute(), expected)
    assert_same(module.updated.compute(), expected)
