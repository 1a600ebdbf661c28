"""Named sets of arguments of `CoMixup`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lightning_comixup.saliencies.low_resolution import LowResolution

# The paper's method with the authors' values for CIFAR: today's defaults, written out so that those may change. The
# solver is left out: it decides how near the method's minimum is found, not what is minimised.
PAPER: Mapping[str, Any] = MappingProxyType(
    {
        "alpha": 2.0,
        "grid_size": 4,
        "partition_size": 20,
        "smoothness": 0.32,
        "diversity": 1.0,
        "penalty_threshold": 0.83,
        "thresholding": "hard",
        "prior_weight": 0.05,
        "compatibility_weight": 0.001,
        "compatibility_window": 8,
        "compatibility_stride": 1,
        "sweeps": 4,
        "restarts": 1,
        "resolve_duplicates": True,
        "clean_weight": 1.0,
        "mixed_share": 1.0,
        "prob": 1.0,
        "saliency": None,
    }
)
# One pass of the module on a batch of which half the groups are mixed, and one of a quarter of the cost on that half.
FAST: Mapping[str, Any] = MappingProxyType({"clean_weight": 0.0, "mixed_share": 0.5, "saliency": LowResolution(2)})
