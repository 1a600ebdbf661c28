"""Co-Mixup (Kim et al., ICLR 2021) for PyTorch Lightning."""

from lightning_comixup.functional import MixedBatch, comixup_batch, optimize_masks
from lightning_comixup.hyperparameters import GridSize, Hyperparameters, Solver, Thresholding
from lightning_comixup.method.energy import energy
from lightning_comixup.method.random import GeneratorLike
from lightning_comixup.method.saliency import LossFunction, compute_saliency
from lightning_comixup.planning import LabelingReport, NonFiniteSaliencyError
from lightning_comixup.plotting.mixed_batch import plot_mixed_batch
from lightning_comixup.saliencies.edges import Edges
from lightning_comixup.saliencies.low_resolution import LowResolution
from lightning_comixup.saliencies.random_cells import Random
from lightning_comixup.saliencies.spectral_residual import SpectralResidual
from lightning_comixup.saliencies.uniform import Uniform
from lightning_comixup.soft_targets.integer_losses import PerSampleLoss
from lightning_comixup.soft_targets.loss_checks import LossKind, Reduction
from lightning_comixup.soft_targets.metrics import SoftTargetAccuracy
from lightning_comixup.training.callback import CoMixup
from lightning_comixup.training.config import (
    AveragedKeys,
    BatchKey,
    CleanGradientMethod,
    CleanLoss,
    OnNonfinite,
    SaliencyFunction,
)
from lightning_comixup.training.mixin import CoMixupMixin

__version__ = "0.1.0"

__all__ = [
    "AveragedKeys",
    "BatchKey",
    "CleanGradientMethod",
    "CleanLoss",
    "CoMixup",
    "CoMixupMixin",
    "Edges",
    "GeneratorLike",
    "GridSize",
    "Hyperparameters",
    "LabelingReport",
    "LossFunction",
    "LossKind",
    "LowResolution",
    "MixedBatch",
    "NonFiniteSaliencyError",
    "OnNonfinite",
    "PerSampleLoss",
    "Random",
    "Reduction",
    "SaliencyFunction",
    "SoftTargetAccuracy",
    "Solver",
    "SpectralResidual",
    "Thresholding",
    "Uniform",
    "comixup_batch",
    "compute_saliency",
    "energy",
    "optimize_masks",
    "plot_mixed_batch",
]
