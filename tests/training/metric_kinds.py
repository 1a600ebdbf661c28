"""Metrics of every kind, and the functions that prepare logits and labels for them in a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torchmetrics
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import ClasswiseWrapper, MetricCollection
from torchmetrics import classification as tc
from torchmetrics.wrappers import MinMaxMetric, Running

from tests.tiny import CLASSES

K: dict[str, Any] = {"num_classes": CLASSES}
_L: dict[str, Any] = {"num_labels": CLASSES}
_TASK: dict[str, Any] = {"task": "multiclass", **K}
_GRADED = ("Accuracy", "F1Score", "Precision", "Recall", "Specificity", "JaccardIndex", "StatScores", "FBetaScore")
_CURVES = ("AUROC", "AveragePrecision")


def _multiclass() -> dict[str, Any]:
    beta = {"FBetaScore": {"beta": 0.5}}
    averaged = {
        f"{name} {average}": getattr(tc, f"Multiclass{name}")(**K, average=average, **beta.get(name, {}))
        for name in _GRADED
        for average in ("micro", "macro")
    }
    return averaged | {
        **{name: getattr(tc, f"Multiclass{name}")(**K) for name in _CURVES},
        "binned AUROC": tc.MulticlassAUROC(**K, thresholds=20),
        "top 2": tc.MulticlassAccuracy(**K, top_k=2, average="micro"),
        "calibration": tc.MulticlassCalibrationError(**K),
        "confusion": tc.MulticlassConfusionMatrix(**K),
        "kappa": tc.MulticlassCohenKappa(**K),
        "correlation": tc.MulticlassMatthewsCorrCoef(**K),
        "hinge": tc.MulticlassHingeLoss(**K),
        "task accuracy": torchmetrics.Accuracy(**_TASK),
        "task F1": torchmetrics.F1Score(**_TASK, average="weighted"),
        "by class": ClasswiseWrapper(tc.MulticlassAccuracy(**K, average=None)),
        "extremes": MinMaxMetric(tc.MulticlassAccuracy(**K)),
        "window": Running(tc.MulticlassAccuracy(**K), window=2),
        "group": MetricCollection([tc.MulticlassAccuracy(**K), tc.MulticlassF1Score(**K)], prefix="a_").clone("b_"),
        "no group": MetricCollection(
            {"acc": tc.MulticlassAccuracy(**K), "area": tc.MulticlassAUROC(**K)},
            compute_groups=False,
        ),
        "nested": MetricCollection({"in": MetricCollection([tc.MulticlassRecall(**K), tc.MulticlassPrecision(**K)])}),
    }


def _graded() -> dict[str, Any]:
    return {name: metric for name, metric in _multiclass().items() if "cro" in name}


def _classes() -> dict[str, Any]:
    """Return metrics for predicted classes."""
    graded = {name: getattr(tc, f"Multiclass{name}")(**K, average="micro") for name in _GRADED[:-1]}
    return graded | {"exact": torchmetrics.ExactMatch(**_TASK), "kappa": tc.MulticlassCohenKappa(**K)}


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
# Metrics, and how a step prepares logits and labels for them. In the mixed pass, labels are rows.
KINDS: dict[str, tuple[Callable[[], dict[str, Any]], Prepare]] = {
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
