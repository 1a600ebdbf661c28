"""What is compared: how each method treats a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from torch import Tensor

from examples.study_parts.mixup import Mixture, draw_cutmix, draw_mixup
from lightning_comixup import CoMixup, Edges, LowResolution, Random, SpectralResidual

Mix = Callable[[Tensor, Tensor, np.random.Generator], Mixture]


@dataclass(frozen=True)
class Method:
    """How a training treats its batches, and what else sets it apart."""

    mix: Mix | None = None
    mixed_share: float = 1.0  # of a batch's images; the others stay clean, in the same pass
    adds_clean_loss: bool = False  # of the whole batch, by a pass of its own
    comixup: Mapping[str, Any] | None = None  # arguments of the callback; None: without it
    is_tuned: bool = False  # trains with the learning rate and the weight decay that were chosen for it
    keeps_best: bool = False  # of the states along the training, by validation accuracy

    def callbacks(self, seed: int) -> list[CoMixup]:
        """Return what the Trainer needs for it."""
        return [] if self.comixup is None else [CoMixup(seed=seed, log=False, **self.comixup)]


_HALF_MIXED = {"mixed_share": 0.5, "clean_weight": 0.0}

NONE, TUNED, STOPPED = "none", "none, tuned", "none, early stopping"
HALF_CUTMIX = "CutMix, half of each batch"
PAPER = "Co-Mixup (paper)"
AUTHORS_CUTS = "Co-Mixup, authors' cuts"
EXACT = "Co-Mixup, half mixed"
LOW = "Co-Mixup, half mixed, low resolution"
EDGES = "Co-Mixup, half mixed, edges"
SPECTRAL = "Co-Mixup, half mixed, spectral residual"
RANDOM = "Co-Mixup, half mixed, random (control)"
FAST = LOW  # what `CoMixup.fast` is
METHODS: dict[str, Method] = {
    NONE: Method(),
    TUNED: Method(is_tuned=True),
    STOPPED: Method(keeps_best=True),
    "MixUp": Method(draw_mixup),
    "CutMix": Method(draw_cutmix),
    "MixUp, half of each batch": Method(draw_mixup, mixed_share=0.5),
    HALF_CUTMIX: Method(draw_cutmix, mixed_share=0.5),
    "clean + CutMix": Method(draw_cutmix, adds_clean_loss=True),
    PAPER: Method(comixup={}),
    AUTHORS_CUTS: Method(comixup={"solver": "pygco", "restarts": 1}),
    "Co-Mixup, half mixed, with clean loss": Method(comixup={"mixed_share": 0.5}),
    EXACT: Method(comixup=_HALF_MIXED),
    LOW: Method(comixup=_HALF_MIXED | {"saliency": LowResolution(2)}),
    EDGES: Method(comixup=_HALF_MIXED | {"saliency": Edges()}),
    SPECTRAL: Method(comixup=_HALF_MIXED | {"saliency": SpectralResidual()}),
    RANDOM: Method(comixup=_HALF_MIXED | {"saliency": Random()}),
}


def missing_code(name: str) -> str | None:
    """Return what a method needs and is not there, or None."""
    return "the authors' cuts (extra pygco)" if name == AUTHORS_CUTS and find_spec("gco") is None else None
