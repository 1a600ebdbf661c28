"""The methods of the study, and how each one treats a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from examples.study_parts.mixup import Mixture, draw_cutmix, draw_mixup
from examples.study_parts.names import (
    AUTHORS_CUTS,
    CLEAN_AND_CUTMIX,
    CUTMIX,
    EDGES,
    EXACT,
    HALF_AND_CLEAN,
    HALF_CUTMIX,
    HALF_MIXUP,
    LOW,
    MIXUP,
    NONE,
    PAPER,
    RANDOM,
    SPECTRAL,
    STOPPED,
    TUNED,
    TUNED_MIXING,
)
from lightning_comixup import CoMixup, Edges, LowResolution, Random, SpectralResidual

Mix = Callable[[Tensor, Tensor, np.random.Generator], Mixture]


@dataclass(frozen=True)
class Method:
    """How a training treats its batches, and its other special features."""

    mix: Mix | None = None
    mixed_share: float = 1.0  # share of a batch's images to mix; the others stay clean, in the same pass
    adds_clean_loss: bool = False  # for the whole batch, in a separate pass
    comixup: Mapping[str, Any] | None = None  # arguments of the callback; None means no callback
    is_tuned: bool = False  # trains with the learning rate and the weight decay that are best for long plain training
    keeps_best: bool = False  # restores the state with the best validation accuracy

    def callbacks(self, seed: int) -> list[CoMixup]:
        """Return the callbacks that the Trainer needs for this method."""
        return [] if self.comixup is None else [CoMixup(seed=seed, log=False, **self.comixup)]


_HALF_MIXED = {"mixed_share": 0.5, "clean_weight": 0.0}

_METHODS = {
    NONE: Method(),
    TUNED: Method(is_tuned=True),
    STOPPED: Method(keeps_best=True),
    MIXUP: Method(draw_mixup),
    CUTMIX: Method(draw_cutmix),
    HALF_MIXUP: Method(draw_mixup, mixed_share=0.5),
    HALF_CUTMIX: Method(draw_cutmix, mixed_share=0.5),
    CLEAN_AND_CUTMIX: Method(draw_cutmix, adds_clean_loss=True),
    PAPER: Method(comixup={}),
    AUTHORS_CUTS: Method(comixup={"solver": "pygco", "restarts": 1}),
    HALF_AND_CLEAN: Method(comixup={"mixed_share": 0.5}),
    EXACT: Method(comixup=_HALF_MIXED),
    LOW: Method(comixup=_HALF_MIXED | {"saliency": LowResolution(2)}),
    EDGES: Method(comixup=_HALF_MIXED | {"saliency": Edges()}),
    SPECTRAL: Method(comixup=_HALF_MIXED | {"saliency": SpectralResidual()}),
    RANDOM: Method(comixup=_HALF_MIXED | {"saliency": Random()}),
}
_TUNED = {name: replace(_METHODS[method], is_tuned=True) for name, method in TUNED_MIXING.items()}
METHODS: dict[str, Method] = _METHODS | _TUNED  # all of `METHOD_NAMES`, in their order
