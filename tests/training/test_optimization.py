"""Optimizers, schedules and callbacks that change parameters, compared with hand-written loops."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import (
    BaseFinetuning,
    GradientAccumulationScheduler,
    StochasticWeightAveraging,
)
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

from lightning_comixup import CoMixup
from tests.tiny import CLASSES, Tiny, fit, largest_difference, make_loader, make_network

EPOCHS = 3


def by_hand(
    module: Tiny,
    seen: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    *,
    window: Callable[[int], int] = lambda epoch: 1,
    before_epoch: Callable[[int], None] = lambda epoch: None,
    before_step: Callable[[], None] = lambda: None,
    after_step: Callable[[], None] = lambda: None,
) -> Tiny:
    """Train on the mixed batches of a run, with a step on the sum of clean and mixed gradients."""
    module.train()
    batches = list(make_loader())
    mixed_batches = iter(seen)
    for epoch in range(EPOCHS):
        before_epoch(epoch)
        for index, (inputs, targets) in enumerate(batches):
            mixed_inputs, mixed_targets = next(mixed_batches)
            if index % window(epoch) == 0:
                optimizer.zero_grad()
            (module.comixup_clean_loss(inputs, targets) / window(epoch)).backward()
            (module.comixup_loss(module(mixed_inputs), mixed_targets) / window(epoch)).backward()
            if (index + 1) % window(epoch) == 0 or index + 1 == len(batches):
                before_step()
                optimizer.step()
                after_step()
    return module


def _pair(network: nn.Module | None = None, kind: type[Tiny] = Tiny) -> tuple[Tiny, Tiny]:
    module = kind(network)
    return module, copy.deepcopy(module)


class Groups(Tiny):
    """Adam with two parameter groups, and a learning rate that changes in each step."""

    def configure_optimizers(self) -> Any:
        groups = [
            {"params": self.network[:2].parameters(), "lr": 1e-3},
            {"params": self.network[2:].parameters(), "lr": 1e-2, "weight_decay": 0.1},
        ]
        optimizer = torch.optim.AdamW(groups)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [1e-2, 1e-1], total_steps=12)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def test_adam_with_parameter_groups_and_a_schedule_per_step() -> None:
    module, start = _pair(kind=Groups)
    fit(module, max_epochs=EPOCHS)
    [optimizer], [schedule] = start.configure_optimizers()
    assert (
        largest_difference(module, by_hand(start, module.seen, optimizer, after_step=schedule["scheduler"].step)) == 0
    )


@pytest.mark.parametrize("algorithm", ["norm", "value"])
def test_clipping_acts_on_the_sum(algorithm: str) -> None:
    module, start = _pair()
    fit(module, max_epochs=EPOCHS, gradient_clip_val=0.01, gradient_clip_algorithm=algorithm)
    clip: Any = nn.utils.clip_grad_norm_ if algorithm == "norm" else nn.utils.clip_grad_value_
    optimizer = start.configure_optimizers()
    reference = by_hand(start, module.seen, optimizer, before_step=lambda: clip(start.parameters(), 0.01))
    assert largest_difference(module, reference) == 0


def test_accumulation_that_changes_with_the_epoch() -> None:
    windows = {0: 1, 1: 2, 2: 3}
    module, start = _pair()
    fit(module, CoMixup(seed=0), GradientAccumulationScheduler(windows), max_epochs=EPOCHS)
    reference = by_hand(start, module.seen, start.configure_optimizers(), window=windows.__getitem__)
    assert largest_difference(module, reference) == 0


@pytest.mark.skipif(not hasattr(pl.callbacks, "EMAWeightAveraging"), reason="a callback of Lightning 2.6 and later")
def test_averaged_weights() -> None:
    module, start = _pair()
    fit(module, CoMixup(seed=0), pl.callbacks.EMAWeightAveraging(decay=0.8), max_epochs=EPOCHS)
    average = AveragedModel(start, avg_fn=get_ema_avg_fn(0.8), use_buffers=True)
    by_hand(start, module.seen, start.configure_optimizers(), after_step=lambda: average.update_parameters(start))
    assert largest_difference(module, average.module) == 0
    assert largest_difference(module, start) > 1e-3


def test_stochastic_weight_averaging() -> None:
    """The last two epochs are averaged. An epoch without backward then updates BatchNorm, on both batches."""
    module, start = _pair()
    averaging = StochasticWeightAveraging(swa_lrs=0.1, swa_epoch_start=2, annealing_epochs=1)
    fit(module, CoMixup(seed=0), averaging, max_epochs=EPOCHS)
    weights: list[list[Tensor]] = []
    optimizer = start.configure_optimizers()
    # Lightning uses the weights at the start of an epoch.
    by_hand(
        start,
        module.seen,
        optimizer,
        before_epoch=lambda epoch: weights.append([p.detach().clone() for p in start.parameters()]),
    )
    with torch.no_grad():
        for parameter, first, second in zip(start.parameters(), weights[1], weights[2], strict=True):
            parameter.copy_(first + (second - first) / 2)
    optimizer.step()  # Lightning's step after the epoch without backward, with the last batch's gradients
    assert all(torch.equal(*pair) for pair in zip(module.parameters(), start.parameters(), strict=True))
    assert len(module.seen) == 4 * (EPOCHS + 1)
    # After a reset, each of four steps adds the clean and the mixed batch.
    assert int(module.network[1].num_batches_tracked) == 8


class _Thaw(BaseFinetuning):
    """Trains only the head in the first epoch, and everything from the second epoch on."""

    def freeze_before_training(self, pl_module: pl.LightningModule) -> None:
        self.freeze(pl_module.network[:2], train_bn=False)  # type: ignore[index]

    def finetune_function(self, pl_module: pl.LightningModule, epoch: int, optimizer: torch.optim.Optimizer) -> None:
        if epoch == 1:
            self.unfreeze_and_add_param_group(pl_module.network[:2], optimizer, lr=0.01)  # type: ignore[index]


class Finetuned(Tiny):
    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(filter(lambda parameter: parameter.requires_grad, self.parameters()), lr=0.1)


def test_parameters_that_are_thawed_between_steps() -> None:
    module, start = _pair(kind=Finetuned)
    thaw = _Thaw()
    fit(module, CoMixup(seed=0), thaw, max_epochs=EPOCHS)
    thaw.freeze_before_training(start)
    optimizer = start.configure_optimizers()
    reference = by_hand(
        start, module.seen, optimizer, before_epoch=lambda epoch: thaw.finetune_function(start, epoch, optimizer)
    )
    assert largest_difference(module, reference) == 0
    assert largest_difference(module, Finetuned()) > 1e-3


class ChannelsLast(Tiny):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.contiguous(memory_format=torch.channels_last))


def test_channels_last() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(144, CLASSES))
    module, start = _pair(network.to(memory_format=torch.channels_last), ChannelsLast)  # type: ignore[call-overload]
    fit(module, max_epochs=EPOCHS)
    assert largest_difference(module, by_hand(start, module.seen, start.configure_optimizers())) == 0
    assert module.network[1].weight.grad.is_contiguous(memory_format=torch.channels_last)


class Embedded(nn.Module):
    """Looks up the brightness of pixels in a sparse table, and has a dense path for the saliency."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(8, CLASSES, sparse=True)
        self.dense = nn.Linear(64, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        levels = (2 * inputs.detach() + 4).clamp(0, 7).long().flatten(1)
        logits: Tensor = self.dense(inputs.flatten(1)) + self.table(levels).mean(1)
        return logits


class Sparse(Tiny):
    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_sparse_gradients() -> None:
    module, start = _pair(Embedded(), Sparse)
    fit(module, max_epochs=EPOCHS)
    assert largest_difference(module, by_hand(start, module.seen, start.configure_optimizers())) == 0


def test_a_network_that_overwrites_its_input() -> None:
    class Doubling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = make_network()

        def forward(self, inputs: Tensor) -> Tensor:
            logits: Tensor = self.network(inputs.mul_(2))
            return logits

    module, start = _pair(Doubling())
    fit(module, max_epochs=EPOCHS)

    class Apart(Tiny):
        """Gives the network a copy of the data, which it may overwrite."""

        def forward(self, inputs: Tensor) -> Tensor:
            return super().forward(inputs.clone())

    start.__class__ = Apart
    assert largest_difference(module, by_hand(start, module.seen, start.configure_optimizers())) == 0
