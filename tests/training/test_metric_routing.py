"""Metrics in a mixed step against metrics of the noted outputs: those with targets are clean, the others mixed."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchmetrics
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import CatMetric, ClasswiseWrapper, MeanMetric, MetricCollection, MetricTracker, SumMetric
from torchmetrics import classification as tc
from torchmetrics.wrappers import BootStrapper, MinMaxMetric, Running

from lightning_comixup import SoftTargetAccuracy
from tests.tiny import CLASSES, is_clean_pass
from tests.training.metric_modules import Noting, assert_same, of_batches, train

_K: dict[str, Any] = {"num_classes": CLASSES}
_L: dict[str, Any] = {"num_labels": CLASSES}
_TASK: dict[str, Any] = {"task": "multiclass", **_K}
_GRADED = ("Accuracy", "F1Score", "Precision", "Recall", "Specificity", "JaccardIndex", "StatScores", "FBetaScore")
_CURVES = ("AUROC", "AveragePrecision")


def _multiclass() -> dict[str, Any]:
    beta = {"FBetaScore": {"beta": 0.5}}
    averaged = {
        f"{name} {average}": getattr(tc, f"Multiclass{name}")(**_K, average=average, **beta.get(name, {}))
        for name in _GRADED
        for average in ("micro", "macro")
    }
    return averaged | {
        **{name: getattr(tc, f"Multiclass{name}")(**_K) for name in _CURVES},
        "binned AUROC": tc.MulticlassAUROC(**_K, thresholds=20),
        "top 2": tc.MulticlassAccuracy(**_K, top_k=2, average="micro"),
        "calibration": tc.MulticlassCalibrationError(**_K),
        "confusion": tc.MulticlassConfusionMatrix(**_K),
        "kappa": tc.MulticlassCohenKappa(**_K),
        "correlation": tc.MulticlassMatthewsCorrCoef(**_K),
        "hinge": tc.MulticlassHingeLoss(**_K),
        "task accuracy": torchmetrics.Accuracy(**_TASK),
        "task F1": torchmetrics.F1Score(**_TASK, average="weighted"),
        "by class": ClasswiseWrapper(tc.MulticlassAccuracy(**_K, average=None)),
        "extremes": MinMaxMetric(tc.MulticlassAccuracy(**_K)),
        "window": Running(tc.MulticlassAccuracy(**_K), window=2),
        "group": MetricCollection([tc.MulticlassAccuracy(**_K), tc.MulticlassF1Score(**_K)], prefix="a_").clone("b_"),
        "no group": MetricCollection(
            {"acc": tc.MulticlassAccuracy(**_K), "area": tc.MulticlassAUROC(**_K)}, compute_groups=False
        ),
        "nested": MetricCollection(
            {"in": MetricCollection([tc.MulticlassRecall(**_K), tc.MulticlassPrecision(**_K)]), "top": tc.Dice(**_K)}
            if hasattr(tc, "Dice")
            else {"in": MetricCollection([tc.MulticlassRecall(**_K), tc.MulticlassPrecision(**_K)])}
        ),
    }


def _graded() -> dict[str, Any]:
    return {name: metric for name, metric in _multiclass().items() if "cro" in name}


def _classes() -> dict[str, Any]:
    """Metrics of predicted classes."""
    graded = {name: getattr(tc, f"Multiclass{name}")(**_K, average="micro") for name in _GRADED[:-1]}
    return graded | {"exact": torchmetrics.ExactMatch(**_TASK), "kappa": tc.MulticlassCohenKappa(**_K)}


def _binary() -> dict[str, Any]:
    names = (*_GRADED[:-1], *_CURVES, "CalibrationError", "ConfusionMatrix", "CohenKappa", "MatthewsCorrCoef")
    return {name: getattr(tc, f"Binary{name}")() for name in (*names, "HingeLoss")}


def _multilabel() -> dict[str, Any]:
    names = (*_GRADED[:-1], *_CURVES, "ConfusionMatrix", "ExactMatch", "MatthewsCorrCoef", "RankingLoss")
    return {name: getattr(tc, f"Multilabel{name}")(**_L) for name in names}


def _regression() -> dict[str, Any]:
    names = ("MeanSquaredError", "MeanAbsoluteError", "R2Score", "PearsonCorrCoef", "ExplainedVariance")
    return {name: getattr(torchmetrics, name)() for name in names}


Prepare = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
# Metrics, and what a step makes of logits and labels for them; the labels are rows in the mixed pass.
_KINDS: dict[str, tuple[Callable[[], dict[str, Any]], Prepare]] = {
    "logits": (_multiclass, lambda logits, labels: (logits, labels)),
    "probabilities": (_multiclass, lambda logits, labels: (logits.softmax(1), labels)),
    "detached, cast": (_graded, lambda logits, labels: (logits.detach(), labels.int())),
    "classes": (_classes, lambda logits, labels: (logits.argmax(1), labels.squeeze())),
    "classes by row": (_classes, lambda logits, labels: (logits.argmax(1)[:, None], labels.view(len(labels), -1))),
    "binary": (_binary, lambda logits, labels: (logits[:, 0].sigmoid(), _is_zero(labels))),
    "multilabel": (_multilabel, lambda logits, labels: (logits.sigmoid(), _one_hot(labels))),
    "regression": (_regression, lambda logits, labels: (logits[:, 0], labels.float() if labels.ndim == 1 else labels)),
}


def _one_hot(labels: Tensor) -> Tensor:
    return F.one_hot(labels, CLASSES) if labels.ndim == 1 else labels


def _is_zero(labels: Tensor) -> Tensor:
    return labels == 0 if labels.ndim == 1 else labels[:, 0]


@pytest.mark.filterwarnings(
    "ignore:No (positive|negative) samples", "ignore:The variance of predictions", "ignore:Average precision score"
)
@pytest.mark.parametrize("how", ["forward", "update"])
@pytest.mark.parametrize("kind", list(_KINDS))
def test_every_metric_of_targets_is_that_of_the_clean_batches(kind: str, how: str) -> None:
    build, prepare = _KINDS[kind]

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


def test_metrics_of_other_things_are_those_of_the_mixed_batches() -> None:
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
            self.ending, self.beginning = tc.MulticlassAccuracy(**_K), tc.MulticlassAccuracy(**_K)
            self.mean, self.group = MeanMetric(), MetricCollection([tc.MulticlassRecall(**_K)])
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
            self.hinge = tc.MulticlassHingeLoss(**_K)

        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> Tensor:
            return loss + self.hinge(logits, labels)

    with pytest.raises(RuntimeError, match="must not be part of the loss"):
        train(Module())


def test_metrics_that_a_step_copies_are_metrics_of_their_own() -> None:
    class Module(Noting):
        def build(self) -> None:
            self.acc, self.group = tc.MulticlassAccuracy(**_K), MetricCollection([tc.MulticlassRecall(**_K)])
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
            self.part.acc = tc.MulticlassAccuracy(**_K)
            holder = type("Holder", (nn.Module,), {})()
            holder.listed = [tc.MulticlassAccuracy(**_K)]
            self.holder = holder
            self.by_stage = {"train": {"acc": tc.MulticlassAccuracy(**_K)}, "lists": [(tc.MulticlassAccuracy(**_K),)]}
            self.tracker = MetricTracker(tc.MulticlassAccuracy(**_K))
            self.tracker.increment()
            self.boot: Any = BootStrapper(tc.MulticlassAccuracy(**_K), num_bootstraps=3)

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
    assert all(metric.update_count <= 4 for metric in module.boot.metrics)  # a draw may be empty


def test_the_accuracy_of_soft_targets_sees_the_mixed_batch_in_a_collection_too() -> None:
    class Module(Noting):
        def build(self) -> None:
            parts = {"soft": SoftTargetAccuracy(), "again": SoftTargetAccuracy(), "acc": tc.MulticlassAccuracy(**_K)}
            self.called, self.updated = MetricCollection(parts), MetricCollection(parts).clone()

        def report(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
            self.called(logits, labels)
            self.updated.update(logits, labels)

    module = Module()
    train(module)
    soft = of_batches(SoftTargetAccuracy(), [outputs[:2] for outputs in module.stepped])
    expected = {
        "acc": of_batches(tc.MulticlassAccuracy(**_K), [outputs[:2] for outputs in module.clean]),
        "again": soft,
        "soft": soft,
    }
    assert_same(module.called.compute(), expected)
    assert_same(module.updated.compute(), expected)
