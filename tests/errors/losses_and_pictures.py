"""Wrong arguments for the losses, the metric and the pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from lightning_comixup import MixedBatch
from tests.errors.table import Row, right_arguments

_L, _Y = torch.rand(4, 4), torch.arange(4)
_CLASSES = "must be (B,) integer or (B, K) class probabilities"
_LOGITS = "logits must be a tensor (B, K)"
_MIXED: MixedBatch = right_arguments("plot_mixed_batch")["mixed"]


def _row(function: str, changes: dict[str, Any], error: type[Exception], rule: str, found: str, remedy: str) -> Row:
    return Row(function, changes, error, rule, found, remedy)


def _loss(error: type[Exception], rule: str, found: str, remedy: str, **changes: Any) -> Row:
    return Row("comixup_loss", changes, error, rule, found, remedy)


_ALONE = "loss_fn must come without kind, label_smoothing and class_weights"
_EACH = nn.CrossEntropyLoss(reduction="none")
_WEIGHTS = "`torch.tensor([...])`"

LOSSES = [
    _loss(TypeError, _LOGITS, "NoneType", "Pass the logits alone", logits=None),
    _loss(TypeError, _LOGITS, "ndarray", "Pass the logits alone", logits=_L.numpy()),
    _loss(ValueError, _LOGITS, "shape (1, 4, 4)", "Pass the logits alone", logits=_L[None]),
    _loss(TypeError, "logits must be floating-point", "torch.int64", "Pass the logits alone", logits=_L.long()),
    _loss(ValueError, "must have at least two classes", "shape (4, 1)", "For a single logit", logits=_L[:, :1]),
    _loss(ValueError, "targets must be (B,) or (B, K) for logits (2, 4)", "(4,)", "Give the module", logits=_L[:2]),
    _loss(ValueError, "must be on the device of the logits, meta", "cpu", "`.to(logits.device)`", logits=_L.to("meta")),
    _loss(TypeError, "targets must be a tensor", "list", "`torch.tensor`", targets=[0, 1, 2, 3]),
    _loss(ValueError, f"targets {_CLASSES}", "shape (4,) of torch.float32", "`.long()`", targets=_Y.float()),
    _loss(ValueError, "targets must be (B,) or (B, K)", "(4, 3)", "Give the module", targets=_L[:, :3]),
    _loss(ValueError, "must lie in [0, 4)", "0 to 9", "one output per class", targets=3 * _Y),
    _loss(ValueError, "must lie in [0, 4)", "-3 to 0", "leave out samples", targets=-_Y),
    _loss(ValueError, "must lie in [0, 4)", "0 to 9", "one output per class", targets=3 * _Y, kind="bce"),
    _loss(ValueError, "must lie in [0, 1]", "0 to 2", "Normalise", targets=2 * torch.eye(4), kind="bce"),
    _loss(ValueError, "logits must be finite", "NaN or infinity", "learning rate", logits=_L * torch.nan, kind="bce"),
    _loss(ValueError, "The loss kind must be one of 'ce', 'bce'", "'mse'", "Set comixup_loss_kind", kind="mse"),
    _loss(ValueError, "The loss kind must be one of 'ce', 'bce'", "''", "Set comixup_loss_kind", kind=""),
    _loss(ValueError, "label_smoothing must be a finite number, from 0 to 1", "1.5", "Use 0", label_smoothing=1.5),
    _loss(ValueError, "label_smoothing must be a finite number, from 0 to 1", "nan", "Use 0", label_smoothing=np.nan),
    _loss(TypeError, "label_smoothing must be a finite number, from 0 to 1", "None", "Use 0", label_smoothing=None),
    _loss(ValueError, "reduction must be one of 'mean', 'sum', 'none'", "'avg'", "per sample.", reduction="avg"),
    _loss(ValueError, "reduction must be one of", "'avg'", "per sample.", reduction="avg", kind="bce"),
    _loss(TypeError, "class_weights must be a tensor (K,)", "list", _WEIGHTS, class_weights=[1.0] * 4),
    _loss(ValueError, "class_weights must be (K,) = (4,)", "(3,)", _WEIGHTS, class_weights=torch.ones(3)),
    _loss(ValueError, "must lie in [0, 4)", "-100 to 0", "with ignore_index", targets=-100 * (_Y > 0).long()),
    _loss(
        ValueError, "must lie in [0, 4)", "-100 to 0", "with ignore_index", targets=-100 * (_Y > 0).long(), kind="bce"
    ),
    _loss(ValueError, "must lie in [0, 4)", "-2 to 0", "with ignore_index", targets=-_Y, ignore_index=-3),
    _loss(ValueError, "must lie in [0, 4)", "-2 to 0", "with ignore_index", targets=-_Y, ignore_index=-3, kind="bce"),
    _loss(TypeError, "ignore_index must be an integer", "'-100'", "ignore nothing.", ignore_index="-100"),
    _loss(TypeError, "ignore_index must be an integer", "True", "ignore nothing.", ignore_index=True),
    _loss(ValueError, "ignore_index must be an integer that fits", str(2**63), "often -100.", ignore_index=2**63),
    _loss(
        TypeError, "loss_fn must be a function of (logits, integer targets)", "'focal'", "instance.", loss_fn="focal"
    ),
    _loss(TypeError, "loss_fn must be a function", "<class", "make an instance.", loss_fn=nn.CrossEntropyLoss),
    _loss(ValueError, _ALONE, "kind as well", "Apply smoothing", loss_fn=_EACH, kind="ce"),
    _loss(ValueError, _ALONE, "label_smoothing as well", "Apply smoothing", loss_fn=_EACH, label_smoothing=0.1),
    _loss(ValueError, _ALONE, "class_weights as well", "Apply smoothing", loss_fn=_EACH, class_weights=torch.ones(4)),
    _loss(ValueError, "must return one loss per sample", "shape ()", '"none"', loss_fn=F.cross_entropy),
    _loss(ValueError, "must return one loss per sample", "shape ()", '"none"', loss_fn=F.cross_entropy, targets=_L),
    _loss(TypeError, "must return a floating-point tensor", "NoneType", '"none"', loss_fn=lambda logits, targets: None),
    _loss(
        TypeError, "must return a floating-point tensor", "torch.int64", '"none"', loss_fn=lambda _, targets: targets
    ),
    _loss(TypeError, _LOGITS, "NoneType", "Pass the logits alone", logits=None, loss_fn=_EACH),
    _loss(ValueError, "targets must have one row per row", "(2,) for (4, 4)", "batch.", targets=_Y[:2], loss_fn=_EACH),
    _loss(ValueError, "must be on the device of the logits", "cpu", "Move it", logits=_L.to("meta"), loss_fn=_EACH),
    _row(
        "comixup_clean_loss",
        {"targets": _Y[:, None].float()},
        ValueError,
        "targets must be (B,) or (B, K) for logits (4, 4)",
        "(4, 1)",
        "as there are classes",
    ),
    _row("comixup_clean_loss", {"targets": None}, TypeError, "targets must be a tensor", "NoneType", "`torch.tensor`"),
]

_BOTH = "preds must be (B, K), or (B,) integer classes, and target (B,) or (B, K)"

METRIC = [
    _row("SoftTargetAccuracy", {"preds": [[1.0]]}, TypeError, "preds must be a tensor", "list", "Pass the logits"),
    _row("SoftTargetAccuracy", {"preds": _L[0]}, ValueError, _BOTH, "(4,) of torch.float32 and (4,)", "same batch"),
    _row("SoftTargetAccuracy", {"preds": _L[:, :2], "target": _L}, ValueError, _BOTH, "(4, 2)", "of the same batch"),
    _row("SoftTargetAccuracy", {"preds": _L[None]}, ValueError, _BOTH, "(1, 4, 4)", "of the same batch"),
    _row("SoftTargetAccuracy", {"preds": _Y[:2]}, ValueError, _BOTH, "(2,) of torch.int64", "of the same batch"),
    _row("SoftTargetAccuracy", {"preds": 2 * _Y, "target": _L}, ValueError, "must lie in [0, 4)", "0 to 6", "a column"),
    _row("SoftTargetAccuracy", {"top_k": 0}, ValueError, "top_k must be an integer of at least 1", "0", "Use 1 for"),
    _row("SoftTargetAccuracy", {"top_k": 1.0}, TypeError, "top_k must be an integer", "1.0", "Use 1 for"),
    _row("SoftTargetAccuracy", {"top_k": 5}, ValueError, "must have at least top_k = 5 columns", "(4, 4)", "lower"),
    _row(
        "SoftTargetAccuracy",
        {"top_k": 2, "preds": _Y},
        ValueError,
        "must have at least top_k = 2 columns",
        "(4,)",
        "lower",
    ),
    _row("SoftTargetAccuracy", {"target": None}, TypeError, "target must be a tensor", "NoneType", "`torch.tensor`"),
    _row(
        "SoftTargetAccuracy",
        {"target": _Y[:2]},
        ValueError,
        _BOTH,
        "(4, 4) of torch.float32 and (2,)",
        "of the same batch",
    ),
    _row("SoftTargetAccuracy", {"target": _L[0]}, ValueError, f"target {_CLASSES}", "shape (4,) of", "`.long()`"),
    _row(
        "SoftTargetAccuracy",
        {"target": _Y.to("meta")},
        ValueError,
        "must be on the device of the preds",
        "meta",
        "Move it",
    ),
]

_IMAGES = "inputs must be the clean signals, images or volumes"


def _plot(error: type[Exception], rule: str, found: str, remedy: str, **changes: Any) -> Row:
    return Row("plot_mixed_batch", changes, error, rule, found, remedy)


PICTURES = [
    _plot(TypeError, "inputs must be a tensor", "ndarray", "Name the right part", inputs=np.zeros((4, 3, 8, 8))),
    _plot(ValueError, _IMAGES, "(4, 3, 4, 4) and (4, 3, 8, 8)", "that were mixed.", inputs=torch.zeros(4, 3, 4, 4)),
    _plot(TypeError, "mixed must be a MixedBatch", "tuple", "the result of comixup_batch", mixed=tuple(_MIXED)),
    _plot(ValueError, "mixed.masks must cover the 4", "0", "comixup_batch", mixed=_MIXED._replace(masks=())),
    _plot(TypeError, "targets must be a tensor", "list", "Name the right part", targets=[0, 1, 2, 3]),
    _plot(ValueError, "targets must have one row per input", "shape (2,)", "same batch", targets=_Y[:2]),
    _plot(ValueError, "targets must lie in [0, 4)", "0 to 9", "that were mixed.", targets=3 * _Y),
    _plot(TypeError, "saliency must be a floating-point tensor", "ndarray", "`.float()`", saliency=np.ones((4, 8, 8))),
    _plot(ValueError, "saliency must be (B, *spatial)", "(4, 8)", "Reduce its channels", saliency=torch.ones(4, 8)),
    _plot(TypeError, "class_names must be a list of names", "3", "Leave it None for numbers.", class_names=3),
    _plot(ValueError, "class_names must name all 4", "1 names", "Leave it None for numbers.", class_names=["a"]),
    _plot(ValueError, "rows must be an integer of at least 1", "0", "the default, 4.", rows=0),
    _plot(TypeError, "rows must be an integer of at least 1", "2.5", "the default, 4.", rows=2.5),
]
