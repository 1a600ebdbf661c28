"""A training step with the authors' functions, which run only on a GPU.

It uses one process, like their script with `--parallel False`. By default, the script uses one process per group. The
loss is cross-entropy, as in the other steps of the comparison.
"""

from __future__ import annotations

import warnings
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.data import CLASSES
from benchmarks.step_module import Floor
from lightning_comixup import Hyperparameters

MixupProcess = Callable[..., tuple[Tensor, Tensor]]


def load_mixup_process() -> MixupProcess:
    """Return the authors' `mixup_process`. Their checkout must already be on the path."""
    with warnings.catch_warnings():  # the import silences all warnings
        from mixup import mixup_process

        return mixup_process


def their_arguments(parameters: Hyperparameters) -> Namespace:
    """Return the hyper-parameters under their names on the authors' command line."""
    return Namespace(
        m_block_num=parameters.grid_size,
        m_part=parameters.partition_size,
        m_beta=parameters.smoothness,
        m_gamma=parameters.diversity,
        m_thres=parameters.penalty_threshold,
        m_thres_type=parameters.thresholding,
        m_eta=parameters.prior_weight,
        mixup_alpha=parameters.alpha,
        m_omega=parameters.compatibility_weight,
        set_resolve=parameters.resolve_duplicates,
        m_niter=parameters.sweeps,
    )


class AuthorsStep(Floor):
    """The whole step: clean pass, saliency, distances between peaks, the authors' labeling and mixing, mixed pass."""

    def __init__(self, network: nn.Module, mixup_process: MixupProcess) -> None:
        super().__init__(network)
        self.mixup_process = mixup_process
        self.arguments = their_arguments(Hyperparameters())

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        inputs = batch[0].detach().requires_grad_()
        with self.trainer.precision_plugin.forward_context():
            loss = F.cross_entropy(self(inputs), batch[1])
        gradient, *clean_gradient = torch.autograd.grad(loss, [inputs, *self.parameters()])
        self.clean_gradient = tuple(clean_gradient)
        self.saliency = gradient.square().mean(1).sqrt()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        inputs, targets = batch
        with torch.no_grad():
            smooth = F.avg_pool2d(self.saliency, Hyperparameters().compatibility_window, 1)
            place = smooth.flatten(1).argmax(1)
            peaks = torch.stack([place // smooth.shape[-1], place % smooth.shape[-1]], 1).float()
            rows = F.one_hot(targets, CLASSES).float()
            distances = torch.cdist(peaks, peaks, p=1)
            mixed, soft = self.mixup_process(inputs, rows, args=self.arguments, sc=self.saliency, A_dist=distances)
        return self.comixup_loss(self(mixed), soft)
