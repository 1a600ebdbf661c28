"""Wrong arguments for the functions that handle one batch or one group."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.errors.table import Changed, Head, Row


def _rows(function: str, *rows: tuple[str, Any, type[Exception], str, str, str]) -> list[Row]:
    return [
        Row(function, {name: value}, error, rule, found, remedy) for name, value, error, rule, found, remedy in rows
    ]


class _Wrapped(Changed, Head):
    pass


_X, _Y = torch.rand(4, 3, 8, 8), torch.arange(4)
_NAN = torch.full((4, 8, 8), torch.nan)
_SHAPE = "inputs must be (B, C, *spatial)"
_CLASSES = "must be (B,) integer or (B, K) class probabilities"
_GENERATOR = "generator must be a numpy.random.Generator, a torch.Generator, an int from 0 or None"

INPUTS = [
    row
    for function in ("comixup_batch", "compute_saliency")
    for row in _rows(
        function,
        ("inputs", None, TypeError, "inputs must be a tensor", "NoneType", "Name the right part"),
        ("inputs", _X.numpy(), TypeError, "inputs must be a tensor", "ndarray", "Name the right part"),
        ("inputs", _X.byte(), TypeError, "inputs must be floating-point", "torch.uint8", "`.float()`"),
        ("inputs", _X.to(torch.complex64), TypeError, "inputs must be floating-point", "torch.complex64", "`.float()`"),
        ("inputs", _X[:, 0, 0], ValueError, _SHAPE, "shape (4, 8)", "`unsqueeze(1)`"),
        ("inputs", _X[:0], ValueError, _SHAPE, "shape (0, 3, 8, 8)", "`unsqueeze(1)`"),
    )
]

BATCH = _rows(
    "comixup_batch",
    ("inputs", _X.to("meta"), ValueError, "targets must be on the device of the inputs, meta", "cpu", "Move it"),
    ("inputs", _X[:3], ValueError, "saliency must be (B, *spatial) = (3, 8, 8)", "(4, 8, 8)", "Reduce its channels"),
    ("targets", [0, 1, 2, 3], TypeError, "targets must be a tensor", "list", "Name the right part"),
    ("targets", _Y[:2], ValueError, "targets must have one row per input", "shape (2,) for 4", "of the same batch"),
    ("targets", _Y.float(), ValueError, f"targets {_CLASSES}", "shape (4,) of torch.float32", "`.long()`"),
    ("targets", torch.rand(4, 4, 2), ValueError, f"targets {_CLASSES}", "shape (4, 4, 2)", "linear_targets=True"),
    (
        "targets",
        torch.eye(4).to(torch.complex64),
        ValueError,
        f"targets {_CLASSES}",
        "shape (4, 4) of torch.complex64",
        "Convert",
    ),
    ("targets", _Y.to("meta"), ValueError, "targets must be on the device of the inputs, cpu", "meta", "Move it"),
    (
        "targets",
        torch.eye(4)[:, :3],
        ValueError,
        "must have num_classes = 4 columns",
        "shape (4, 3)",
        "Leave num_classes",
    ),
    ("targets", _Y * 3, ValueError, "must lie in [0, 4)", "0 to 9", "Raise the number of classes"),
    ("targets", (_Y - 1).to(torch.int8), ValueError, "must lie in [0, 4)", "-1 to 2", "leave out samples"),
    ("targets", 2 * torch.eye(4), ValueError, "must sum to 1", "sums from 2 to 2", "Normalise them"),
    ("targets", torch.full((4, 4), torch.nan), ValueError, "must sum to 1", "sums from nan to nan", "Normalise them"),
    (
        "targets",
        torch.tensor([[2.0, -1.0, 0.0, 0.0]]).expand(4, 4),
        ValueError,
        "must not be negative",
        "sums from 1 to 1 and values from -1",
        "Normalise them",
    ),
    ("saliency", None, TypeError, "saliency must be a floating-point tensor", "NoneType", "`compute_saliency`"),
    ("saliency", np.ones((4, 8, 8)), TypeError, "saliency must be a floating-point tensor", "ndarray", "`.float()`"),
    ("saliency", _NAN.long(), TypeError, "saliency must be a floating-point tensor", "torch.int64", "`.float()`"),
    ("saliency", _X, ValueError, "saliency must be (B, *spatial) = (4, 8, 8)", "(4, 3, 8, 8)", "Reduce its channels"),
    ("saliency", _NAN.to("meta"), ValueError, "saliency must be on the device of the inputs, cpu", "meta", "Move it"),
    ("saliency", -_X[:, 0], ValueError, "saliency must not be negative", "a cell of mean -", "Take its magnitude."),
    (
        "saliency",
        _NAN,
        ValueError,
        "saliency must be finite",
        "NaN, infinity or sums that overflow in 4 of 4 maps",
        '="skip")',
    ),
    ("num_classes", None, ValueError, "num_classes must be given for integer targets", "None", "Pass num_classes=K."),
    (
        "num_classes",
        0,
        ValueError,
        "num_classes must be an integer of at least 1",
        "0",
        "Give the number of classes K.",
    ),
    (
        "num_classes",
        4.0,
        TypeError,
        "num_classes must be an integer of at least 1",
        "4.0",
        "Give the number of classes",
    ),
    ("generator", "0", TypeError, _GENERATOR, "'0'", "numpy.random.default_rng(seed)"),
    ("generator", True, TypeError, _GENERATOR, "True", "numpy.random.default_rng(seed)"),
    ("generator", -1, ValueError, _GENERATOR, "-1", "Give a seed"),
    (
        "grid_size",
        9,
        ValueError,
        "grid_size must not exceed the spatial size of the inputs",
        "(9, 9)",
        "Lower grid_size.",
    ),
    ("grid_size", (4,), ValueError, "grid_size must have one entry per spatial dimension", "(4,)", "Give an int"),
    ("smoothness", 1e308, ValueError, "Energies must stay below 1e+300", "costs and weights", "Lower smoothness"),
    ("seed", 1, TypeError, "Hyper-parameters must be among alpha, grid_size", "'seed'", "`generator`"),
)

_LOGITS, _REMEDY = "logits must be a tensor (B, K)", "loss_fn."

SALIENCY = _rows(
    "compute_saliency",
    ("module", None, TypeError, "module must be a torch.nn.Module", "None", "Wrap a function into one."),
    ("module", len, TypeError, "module must be a torch.nn.Module", "<built-in", "Wrap a function into one."),
    ("module", _Wrapped(lambda logits: (logits,)), TypeError, _LOGITS, "tuple", _REMEDY),
    ("module", _Wrapped(lambda logits: logits[None]), ValueError, _LOGITS, "shape (1, 4, 4)", _REMEDY),
    ("module", _Wrapped(torch.Tensor.long), TypeError, "logits must be floating-point", "torch.int64", _REMEDY),
    (
        "module",
        _Wrapped(lambda logits: logits[:, :1]),
        ValueError,
        "must have at least two classes",
        "shape (4, 1)",
        "loss_fn",
    ),
    ("module", _Wrapped(Tensor.detach), ValueError, "must depend on the inputs", "no gradient", "Remove the detach()"),
    (
        "module",
        _Wrapped(lambda logits: logits[:, :2]),
        ValueError,
        "must lie in [0, 2)",
        "0 to 3",
        "one output per class",
    ),
    ("targets", None, TypeError, "targets must be a tensor", "NoneType", "`torch.tensor`"),
    ("targets", _Y.float(), ValueError, f"targets {_CLASSES}", "shape (4,) of torch.float32", "`.long()`"),
    ("loss_fn", "ce", TypeError, "loss_fn must be a function of (logits, targets)", "'ce'", "Leave it None for"),
    ("loss_fn", nn.NLLLoss, TypeError, "loss_fn must be a function of", "<class", "make an instance."),
    ("loss_fn", lambda logits, t: {}, TypeError, "The clean loss must be a tensor", "dict", "Return the loss alone."),
    (
        "loss_fn",
        lambda logits, t: F.cross_entropy(logits, t, reduction="none"),
        ValueError,
        "The clean loss must be a scalar",
        "shape (4,)",
        "Average it over the batch.",
    ),
)

_U, _NUMBERS = -np.full((3, 2, 2), 0.25), "must be an array of real numbers"
_GRAPH = torch.zeros(3, 2, 2, requires_grad=True)
_ZEROS = np.zeros((3, 2, 2), int)

GROUP = [
    row
    for function in ("optimize_masks", "energy")
    for row in _rows(
        function,
        ("unary", None, TypeError, f"unary {_NUMBERS}", "NoneType of dtype object", "Convert it"),
        (
            "unary",
            [[1.0], [1.0, 2.0]],
            TypeError,
            f"unary {_NUMBERS}",
            "list that NumPy cannot read",
            "If it is a tensor",
        ),
        ("unary", _GRAPH, TypeError, f"unary {_NUMBERS}", "Tensor that", ".detach().cpu()"),
        ("unary", _U + 1j, TypeError, f"unary {_NUMBERS}", "ndarray of dtype complex128", "Convert it"),
        ("unary", np.zeros(3), ValueError, "unary must be (N, *grid)", "shape (3,)", "Give one map"),
        ("unary", np.zeros((3, 0)), ValueError, "unary must be (N, *grid)", "shape (3, 0)", "Give one map"),
        ("unary", _U * np.nan, ValueError, "unary must be finite", "NaN or infinity", "Check the saliency"),
        ("compatibility", np.eye(2), ValueError, "compatibility must have the shape (3, 3)", "(2, 2)", "same inputs."),
        (
            "compatibility",
            np.full((3, 3), np.inf),
            ValueError,
            "compatibility must be finite",
            "NaN or",
            "Check the saliency",
        ),
        ("compatibility", "eye", TypeError, f"compatibility {_NUMBERS}", "str of dtype <U3", "Convert it"),
        ("prior", np.ones(4), ValueError, "prior must have the shape (3,)", "(4,)", "same inputs."),
        ("prior", np.array([2.0, -1.0, 0.0]), ValueError, "prior must not be negative", "-1.0", "Give a draw"),
        ("prior", [1.0, np.nan, 0.0], ValueError, "prior must be finite", "NaN or infinity", "Check the saliency"),
        ("prior", torch.zeros(3, device="meta"), TypeError, f"prior {_NUMBERS}", "Tensor that", ".detach().cpu()"),
        ("beta", 0.3, TypeError, "Hyper-parameters must be among alpha, grid_size", "'beta'", "Use one of these names"),
    )
] + _rows(
    "optimize_masks",
    ("initial_labeling", _ZEROS * 1.0, TypeError, "must contain input indices", "dtype float64", "Give each cell"),
    ("initial_labeling", _ZEROS + 3, ValueError, "must contain indices of the 3 inputs", "3 to 3", "Give each cell"),
    ("initial_labeling", _ZEROS - 1, ValueError, "must contain indices of the 3 inputs", "-1 to -1", "Give each cell"),
    ("initial_labeling", _ZEROS[:, 0], ValueError, "must be (M, *grid) for a grid", "shape (3, 2)", "Give each cell"),
    ("initial_labeling", _ZEROS[:0], ValueError, "must be (M, *grid) for a grid", "shape (0, 2, 2)", "Give each cell"),
    ("initial_labeling", "0", TypeError, f"initial_labeling {_NUMBERS}", "str of dtype", "Convert it"),
    ("unary", _U * 1e305, ValueError, "Energies must stay below 1e+300", "costs and weights", "Lower smoothness"),
    ("generator", 1.0, TypeError, _GENERATOR, "1.0", "Give a seed"),
    ("generator", np.random.RandomState(0), TypeError, _GENERATOR, "RandomState", "numpy.random.default_rng(seed)"),
)

_SHARES = "masks must be shares of the inputs that sum to 1"

MASKS = _rows(
    "energy",
    ("masks", None, TypeError, f"masks {_NUMBERS}", "NoneType", "Convert it"),
    ("masks", np.ones((1, 2, 2, 2)), ValueError, "masks must be (M, N, *grid)", "(1, 2, 2, 2) and (3, 2, 2)", "Pass"),
    ("masks", np.ones((0, 3, 2, 2)), ValueError, "masks must be (M, N, *grid)", "(0, 3, 2, 2)", "Pass the masks"),
    ("masks", np.ones((1, 3, 2, 2)), ValueError, _SHARES, "values from 1 and sums from 3 to 3", "Divide them"),
    ("masks", np.full((1, 3, 2, 2), np.nan), ValueError, _SHARES, "values from nan", "Divide them"),
    (
        "masks",
        np.stack([_U * 0 - 1, _U * 0 + 1], 1)[:, [0, 1, 1]],
        ValueError,
        _SHARES,
        "values from -1",
        "Divide them",
    ),
)
