"""What is compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from torch import Tensor

from examples.study_parts.mixup import Mixture, draw_cutmix, draw_mixup
from lightning_comixup import CoMixup

Mix = Callable[[Tensor, Tensor, np.random.Generator], Mixture]


@dataclass(frozen=True)
class Method:
    """How a training step treats its batch: what mixes it, and whether the clean loss is added."""

    mix: Mix | None = None
    adds_clean_loss: bool = False
    comixup: Mapping[str, Any] | None = None  # arguments of the callback; None: without it

    def callbacks(self, seed: int) -> list[CoMixup]:
        """Return what the Trainer needs for it."""
        return [] if self.comixup is None else [CoMixup(seed=seed, log=False, **self.comixup)]


REFERENCE = "Co-Mixup"  # as its authors train it; the others get its time
AUTHORS_CUTS = "Co-Mixup, authors' cuts"
METHODS: dict[str, Method] = {
    "none": Method(),
    "MixUp": Method(draw_mixup),
    "CutMix": Method(draw_cutmix),
    "clean + MixUp": Method(draw_mixup, adds_clean_loss=True),
    REFERENCE: Method(comixup={"clean_weight": 1.0}),
    "Co-Mixup, clean_weight 0": Method(comixup={"clean_weight": 0.0}),
    AUTHORS_CUTS: Method(comixup={"clean_weight": 1.0, "solver": "pygco", "restarts": 1}),
}


def has_authors_cuts() -> bool:
    """Tell whether the authors' cuts are installed (extra `pygco`), without importing them."""
    return find_spec("gco") is not None
