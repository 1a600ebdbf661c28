"""The authors' labelings, as recorded in `golden/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_comixup.hyperparameters import Hyperparameters

_FOLDER = Path(__file__).parent / "golden"


class GoldenGroup(NamedTuple):
    name: str
    unary: NDArray[np.float32]
    compatibility: NDArray[np.float32]
    prior: NDArray[np.float32]
    start: NDArray[np.int16]
    masks: NDArray[np.float32]
    saliency: NDArray[np.float32] | None
    hyperparameters: dict[str, Any]
    compatibility_weight: float

    @property
    def grid(self) -> int:
        return int(self.unary.shape[1])

    @property
    def has_default_settings(self) -> bool:
        """Whether the group was solved with the defaults, apart from the grid and the number of inputs."""
        found = Hyperparameters(compatibility_weight=self.compatibility_weight, **self.hyperparameters)
        return found == Hyperparameters()


def load_golden_groups() -> list[GoldenGroup]:
    settings = json.loads((_FOLDER / "labelings.json").read_text())
    with np.load(_FOLDER / "labelings.npz") as arrays:
        return [_group(setting, arrays) for setting in settings]


def _group(setting: dict[str, Any], arrays: Any) -> GoldenGroup:
    name = setting["id"]
    hyperparameters = {
        "smoothness": setting["beta"],
        "diversity": setting["gamma"],
        "prior_weight": setting["eta"],
        "alpha": setting["alpha"],
        "penalty_threshold": setting["threshold"],
        "thresholding": setting["threshold_type"],
        "resolve_duplicates": setting["resolve"],
        "sweeps": setting["iterations"],
    }
    return GoldenGroup(
        name,
        arrays[f"{name}/unary"],
        arrays[f"{name}/compatibility"],
        arrays[f"{name}/prior"],
        arrays[f"{name}/init"],
        arrays[f"{name}/masks"].astype(np.float32) / 2,
        arrays.get(f"{name}/saliency", None),
        hyperparameters,
        setting["omega"],
    )
