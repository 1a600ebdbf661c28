"""Named sets of arguments of `CoMixup`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lightning_comixup.saliencies.edges import Edges

# The paper's method with the authors' values for CIFAR. They equal the defaults, but are written out because defaults
# may change. The solver is left out: it affects how close a labeling comes to the minimum, but not the objective.
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
# The step costs one pass on a batch with half of its groups mixed. Of the saliencies in docs/study.md, edges were among
# the best on validation images, cost least, and need nothing of the module.
FAST: Mapping[str, Any] = MappingProxyType({"clean_weight": 0.0, "mixed_share": 0.5, "saliency": Edges()})
