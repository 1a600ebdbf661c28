"""The effect of each hyper-parameter on the mixing, with the others at their defaults."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.reference import label
from benchmarks.solver import make_problems, recorded_problems
from lightning_comixup.method.problem import Problem, labeling_to_masks

_VALUES: dict[str, tuple[Any, ...]] = {
    "smoothness": (0.0, 0.16, 0.32, 0.48, 1.0),
    "diversity": (0.0, 0.01, 0.1, 1.0, 10.0),
    "penalty_threshold": (0.25, 0.5, 0.75, 0.83, 0.9, 1.0),
    "thresholding": ("hard", "soft"),
    "prior_weight": (0.0, 0.05, 0.2, 1.0),
    "alpha": (0.2, 1.0, 2.0, 10.0),
    "compatibility_weight": (0.0, 0.001, 0.01, 0.1),
    "partition_size": (2, 5, 10, 20, 40),
    "grid_size": (2, 4, 8, 16),
}


def effect_rows(groups: int) -> list[dict[str, Any]]:
    """Label groups of digits at several values of each hyper-parameter, and the recorded groups at the defaults."""
    recorded = {"hyper-parameter": "recorded saliency", "value": "defaults"} | describe(recorded_problems(4))
    return [recorded] + [
        {"hyper-parameter": name, "value": value} | describe(_problems(groups, name, value))
        for name, values in _VALUES.items()
        for value in values
    ]


def _problems(groups: int, name: str, value: Any) -> list[Problem]:
    if name == "grid_size":
        return make_problems(value, groups)
    if name == "partition_size":
        return make_problems(4, groups, inputs=value, partition_size=value)
    return make_problems(4, groups, **{name: value})


def describe(problems: list[Problem]) -> dict[str, Any]:
    """Return means over the groups that describe the outputs, their overlap and the energy."""
    found = []
    for problem in problems:
        labeling = label(problem)
        masks = labeling_to_masks(labeling, problem.unary.shape[0])
        weights = masks.reshape(*masks.shape[:2], -1).mean(2)
        found.append(
            {
                "inputs per output": float((weights > 0).sum(1).mean()),
                "largest share %": 100 * float(weights.max(1).mean()),
                "like neighbours %": 100 * like_neighbours(masks),
                "saliency kept": -float((masks * problem.unary).sum()) / len(masks),
                "overlap %": 100 * mean_overlap(weights),
                "energy": labeling.energy,
            }
        )
    return {name: float(np.mean([row[name] for row in found])) for name in found[0]}


def like_neighbours(masks: NDArray[np.float32]) -> float:
    """Return the share of neighbouring cells that use the same inputs, for masks (M, N, *grid)."""
    alike = [(np.diff(masks, axis=axis) == 0).all(1).ravel() for axis in range(2, masks.ndim)]
    return float(np.concatenate(alike).mean())


def mean_overlap(weights: NDArray[np.float32]) -> float:
    """Return how much the mixing weights (M, N) of two outputs overlap, Σ_i min, as a mean over all pairs."""
    shared = np.minimum(weights[:, None], weights[None]).sum(2)
    return float(shared[~np.eye(len(weights), dtype=bool)].mean())
