"""Co-Mixup (Kim et al., ICLR 2021) for PyTorch Lightning."""

from lightning_comixup.callback import CoMixup
from lightning_comixup.energy import energy
from lightning_comixup.figures import plot_mixed_batch
from lightning_comixup.functional import MixedBatch, comixup_batch
from lightning_comixup.labeling import optimize_masks
from lightning_comixup.metrics import SoftTargetAccuracy
from lightning_comixup.mixin import CoMixupMixin
from lightning_comixup.saliency import compute_saliency

__all__ = [
    "CoMixup",
    "CoMixupMixin",
    "MixedBatch",
    "SoftTargetAccuracy",
    "comixup_batch",
    "compute_saliency",
    "energy",
    "optimize_masks",
    "plot_mixed_batch",
]
