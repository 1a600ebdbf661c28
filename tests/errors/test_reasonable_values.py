"""Values that are not exactly of the documented type, but are just as clear."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lightning_comixup import energy
from tests.errors.table import CALLS, right_arguments


@pytest.mark.parametrize(
    ("function", "changes"),
    [
        ("CoMixup", {"alpha": 2, "smoothness": np.float32(0.5), "sweeps": np.int64(3), "clean_weight": 1}),
        ("CoMixup", {"grid_size": [4, 2], "also_mix": ("depth",), "num_classes": np.int32(5)}),
        ("comixup_batch", {"generator": np.int64(3), "grid_size": torch.Size([2, 4])}),
        ("comixup_batch", {"num_classes": None, "targets": torch.eye(4, dtype=torch.int64)}),
        ("comixup_batch", {"inputs": torch.rand(4, 3, 8, 8, requires_grad=True)}),
        ("comixup_batch", {"targets": torch.arange(4).to(torch.uint16)}),
        ("compute_saliency", {"targets": torch.arange(4, dtype=torch.int16)}),
        ("comixup_loss", {"targets": torch.tensor([0, 1, -100, 3]), "ignore_index": np.int64(-100)}),
        ("comixup_loss", {"targets": torch.arange(4).to(torch.uint16), "ignore_index": 2, "kind": "bce"}),
        ("comixup_loss", {"label_smoothing": 0, "class_weights": torch.ones(4, dtype=torch.int64)}),
        ("SoftTargetAccuracy", {"target": torch.arange(4).to(torch.uint16)}),
        ("SoftTargetAccuracy", {"preds": torch.arange(4).to(torch.uint8), "top_k": np.int64(1)}),
        ("plot_mixed_batch", {"class_names": np.array(list("abcd")), "rows": np.int64(2)}),
    ],
)
def test_such_values_are_accepted(function: str, changes: dict[str, Any]) -> None:
    CALLS[function](**(right_arguments(function) | changes))


@pytest.mark.parametrize("convert", [torch.from_numpy, np.ndarray.tolist, np.float32])
def test_lists_and_tensors_count_as_arrays(convert: Any) -> None:
    arguments = right_arguments("energy") | {"prior": np.full(3, 1 / 3)}
    converted: dict[str, Any] = {name: convert(array) for name, array in arguments.items()}
    assert energy(**converted) == pytest.approx(energy(**arguments))
    del converted["masks"]
    labeling: Any = [[[0, 1], [2, 2]]]
    assert CALLS["optimize_masks"](**converted, initial_labeling=labeling).shape == (1, 3, 2, 2)
