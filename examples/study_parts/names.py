"""The names in the study's options, each in one place. This module imports nothing heavy."""

from pathlib import Path

NONE, TUNED, STOPPED = "none", "none, tuned", "none, early stopping"
MIXUP, CUTMIX = "MixUp", "CutMix"
HALF_MIXUP, HALF_CUTMIX = "MixUp, half of each batch", "CutMix, half of each batch"
CLEAN_AND_CUTMIX = "clean + CutMix"
PAPER = "Co-Mixup (paper)"
AUTHORS_CUTS = "Co-Mixup, authors' cuts"
HALF_AND_CLEAN = "Co-Mixup, half mixed, with clean loss"
EXACT = "Co-Mixup, half mixed"
LOW = "Co-Mixup, half mixed, low resolution"
EDGES = "Co-Mixup, half mixed, edges"
SPECTRAL = "Co-Mixup, half mixed, spectral residual"
RANDOM = "Co-Mixup, half mixed, random (control)"
FAST = EDGES  # the method of `CoMixup.fast`
# A mixing method with the rates of TUNED, which are the best without mixing, and the method itself.
TUNED_MIXING = {f"{name}, tuned": name for name in (MIXUP, PAPER)}
# In the order of runs and tables.
METHOD_NAMES = (
    *(NONE, TUNED, STOPPED),
    *(MIXUP, CUTMIX, HALF_MIXUP, HALF_CUTMIX, CLEAN_AND_CUTMIX),
    *(PAPER, AUTHORS_CUTS),
    *(HALF_AND_CLEAN, EXACT, LOW, EDGES, SPECTRAL, RANDOM),
    *TUNED_MIXING,
)

SMALL, RESNET18 = "small", "resnet18"  # networks
CPU, GPU = "cpu", "gpu"  # Lightning's names
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # of Debian's package dataset-fashion-mnist
FASHION_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

RESULTS, COSTS, TUNING = "results.csv", "costs.csv", "tuning.csv"  # files of a study
