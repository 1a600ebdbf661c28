"""The clean pass on smaller inputs, compared with a hand-written loop, and its effects on the module."""

from __future__ import annotations

import copy
import sys
from functools import partial
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lightning_comixup import CoMixup, Hyperparameters, LowResolution
from lightning_comixup.method.channels import channels_first, restore_channels
from lightning_comixup.method.groups import draw_groups
from lightning_comixup.method.mixing import mix_inputs, mix_targets
from lightning_comixup.planning import plan_batch
from lightning_comixup.training.seeding import BatchDraws, BatchPosition
from tests.tiny import CLASSES, Items, Tiny, fit, is_clean_pass, largest_difference, make_data, make_loader

_GROUP, _BATCHES = 4, 4
_LOW: dict[str, Any] = {"seed": 0, "saliency": LowResolution(2), "clean_weight": 0.0}


def make_network(channels: int = 1) -> nn.Sequential:
    """Return a network for images of any size."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(channels, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.Tanh(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16, CLASSES),
        )


class OwnStep(pl.LightningModule):
    """A user's module without `forward` and with its own loss, which records the batches of both passes."""

    def __init__(self) -> None:
        super().__init__()
        self.network = make_network()
        self.clean: list[list[Tensor]] = []
        self.mixed: list[list[Tensor]] = []

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(self.network(inputs), targets, label_smoothing=0.1) + inputs.square().mean()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        (self.clean if is_clean_pass(self) else self.mixed).append([part.detach().clone() for part in batch])
        return self.loss(*batch)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def _mix_by_hand(module: OwnStep, index: int, inputs: Tensor, targets: Tensor, share: float) -> tuple[Tensor, Tensor]:
    draws = BatchDraws(0, BatchPosition(0, *divmod(index, _BATCHES)))
    groups = draw_groups(len(inputs), _GROUP, share, partial(draws.decisions, "groups"))
    if not groups.mixed:
        return inputs, targets
    rows = torch.cat([torch.arange(len(inputs))[part] for part in groups.mixed_slices()])
    small = F.avg_pool2d(inputs[rows], 2).requires_grad_()
    module.eval()
    (gradient,) = torch.autograd.grad(module.loss(small, targets[rows]), [small])
    module.train()
    saliency = gradient.square().mean(1).sqrt().repeat_interleave(2, 1).repeat_interleave(2, 2)
    plan = plan_batch(saliency, Hyperparameters(partition_size=_GROUP), draws.masks())
    mixed, soft = inputs.clone(), F.one_hot(targets, CLASSES).float()
    mixed[rows], soft[rows] = mix_inputs(inputs[rows], plan.indices), mix_targets(soft[rows], plan.indices)
    return mixed, soft


@pytest.mark.parametrize("clean_gradient", ["grad", "backward"])
@pytest.mark.parametrize("mixed_share", [1.0, 0.5])
def test_the_step_matches_the_loop(mixed_share: float, clean_gradient: Any) -> None:
    module = OwnStep()
    start = copy.deepcopy(module)
    callback = CoMixup(**_LOW, mixed_share=mixed_share, partition_size=_GROUP, clean_gradient=clean_gradient)
    fit(module, callback)
    optimizer = start.configure_optimizers()
    batches = [batch for _ in range(2) for batch in make_loader()]
    for index, (batch, (mixed, soft)) in enumerate(zip(batches, module.mixed, strict=True)):
        expected, rows = _mix_by_hand(start, index, batch[0], batch[1], mixed_share)
        assert torch.equal(mixed, expected)
        assert torch.equal(soft, rows)
        optimizer.zero_grad()
        start.loss(expected, rows).backward()
        optimizer.step()
    assert largest_difference(module, start) == 0
    assert all(part.training for part in module.modules())


def test_only_the_clean_pass_gets_smaller_inputs() -> None:
    module = OwnStep()
    fit(module, CoMixup(**_LOW), max_epochs=1)
    for (inputs, targets), clean, mixed in zip(make_loader(), module.clean, module.mixed, strict=True):
        torch.testing.assert_close(clean[0], F.avg_pool2d(inputs, 2))
        assert torch.equal(clean[1], targets)
        assert mixed[0].shape == inputs.shape


@pytest.mark.parametrize("clean_loss", ["forward", "training_step"])
@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-mixed"])
def test_a_factor_of_one_is_the_exact_saliency(clean_loss: Any, precision: Any) -> None:
    found, expected = Tiny(), Tiny()
    settings: dict[str, Any] = {"seed": 0, "clean_weight": 0.0, "clean_loss": clean_loss}
    fit(found, CoMixup(saliency=LowResolution(1), **settings), precision=precision)
    fit(expected, CoMixup(**settings), precision=precision)
    assert largest_difference(found, expected) == 0


def test_a_clean_loss_of_the_module_gets_smaller_inputs() -> None:
    seen: list[tuple[int, ...]] = []

    class Own(Tiny):
        def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
            seen.append(tuple(inputs.shape))
            return F.cross_entropy(self(inputs), targets)

    fit(Own(make_network()), CoMixup(**_LOW), max_epochs=1)
    assert seen == [(16, 1, 4, 4)] * 3 + [(2, 1, 4, 4)]


class Layouts(Tiny):
    """Converts its inputs from a layout to images (B, C, H, W) of any size."""

    def __init__(self, channel_dim: int | None, channels: int) -> None:
        super().__init__(make_network(channels))
        self.channel_dim = channel_dim
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.shapes.append(tuple(inputs.shape))
        images = channels_first(inputs, self.channel_dim)
        return super().forward(images.flatten(2, -2) if images.ndim > 4 else images)


def _train(channel_dim: int | None, inputs: Tensor) -> Layouts:
    module = Layouts(channel_dim, inputs.shape[1])
    data: Any = [[restore_channels(inputs, channel_dim).contiguous(), make_data(len(inputs))[1]]]
    loader: Any = DataLoader(data, batch_size=None, collate_fn=lambda batch: batch)
    fit(module, CoMixup(**_LOW, channel_dim=channel_dim), loader=loader)
    return module


@pytest.mark.parametrize(
    ("channel_dim", "shape", "small"),
    [
        (-1, (16, 3, 8, 9), (16, 4, 5, 3)),
        (None, (16, 1, 8, 8), (16, 4, 4)),
        (2, (16, 2, 6, 8, 8), (16, 3, 2, 4, 4)),
    ],
)
def test_channels_elsewhere(channel_dim: int | None, shape: tuple[int, ...], small: tuple[int, ...]) -> None:
    inputs = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    module, expected = _train(channel_dim, inputs), _train(1, inputs)
    assert module.shapes[0] == small
    assert len(module.shapes) == 4
    for (mixed, soft), (wanted, rows) in zip(module.seen, expected.seen, strict=True):
        assert torch.equal(channels_first(mixed, channel_dim), wanted)
        assert torch.equal(soft, rows)
    assert not torch.equal(expected.seen[0][0], inputs)


class TwoInputs(Tiny):
    """Combines images with depth maps of twice their size."""

    def __init__(self) -> None:
        super().__init__(make_network(2))
        self.shapes: list[tuple[int, int]] = []

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.shapes.append((batch["image"].shape[-1], batch["depth"].shape[-1]))
        images = torch.cat([batch["image"], F.avg_pool2d(batch["depth"], 2)], 1)
        return F.cross_entropy(self(images), batch["label"])


def test_further_inputs_shrink_alike() -> None:
    module = TwoInputs()
    wrap = lambda x, y: {"image": x, "depth": x.repeat_interleave(2, 1).repeat_interleave(2, 2), "label": y}  # noqa: E731
    callback = CoMixup(**_LOW, input_key="image", target_key="label", also_mix=["depth"])
    fit(module, callback, loader=DataLoader(Items(wrap), batch_size=20), max_epochs=1)
    assert module.shapes == [(4, 8), (8, 16)]


class Record:
    """A batch that cannot be copied and whose parts only its own functions can find."""

    def __init__(self, inputs: Tensor, depth: Tensor, targets: Tensor) -> None:
        self._parts = {"inputs": inputs, "depth": depth, "targets": targets}

    def __copy__(self) -> Any:
        raise TypeError("stays where it is")

    @staticmethod
    def key(name: str) -> Any:
        return (lambda batch: batch._parts[name]), (lambda batch, value: batch._parts.update({name: value}))


def test_a_batch_that_a_step_leaves_out_keeps_its_inputs() -> None:
    """If a setter writes into the batch itself, the smaller inputs must not stay there."""

    class Skipping(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            parts = batch._parts
            self.seen.append((parts["inputs"], parts["depth"]))
            return None

    inputs, targets = make_data(16)
    data: Any = [Record(inputs, 2 * inputs, targets)]
    loader: Any = DataLoader(data, batch_size=None, collate_fn=lambda batch: batch)
    keys: dict[str, Any] = {
        name: Record.key(part) for name, part in (("input_key", "inputs"), ("target_key", "targets"))
    }
    keys["also_mix"] = [Record.key("depth")]
    module = Skipping()
    fit(module, CoMixup(**_LOW, **keys), loader=loader, max_epochs=1)
    (small, small_depth), (after, depth_after) = module.seen
    assert small.shape == small_depth.shape == (16, 1, 4, 4)
    assert torch.equal(after, inputs)
    assert torch.equal(depth_after, 2 * inputs)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes are logged there")
@pytest.mark.parametrize("reshape", [lambda images: images.flatten(1), lambda images: images.reshape(-1, 64)])
def test_a_head_of_a_fixed_size_is_named(reshape: Any) -> None:
    class Fixed(Tiny):
        def forward(self, inputs: Tensor) -> Tensor:
            return super().forward(reshape(inputs))

    with pytest.raises((RuntimeError, ValueError)) as raised:
        fit(Fixed(nn.Linear(64, CLASSES)), CoMixup(**_LOW))
    (note,) = raised.value.__notes__
    assert "saliency=LowResolution(factor=2) made smaller" in note
    assert "AdaptiveAvgPool2d" in note
    assert "CoMixup(saliency=None)" in note
    with pytest.raises(RuntimeError) as raised_alone:
        fit(Tiny(nn.Linear(7, CLASSES)), CoMixup(seed=0, saliency=LowResolution(1), clean_weight=0))
    assert "made smaller" not in raised_alone.value.__notes__[0]


def _fit_series(shape: tuple[int, ...], forward: Any) -> None:
    class Series(Tiny):
        def forward(self, inputs: Tensor) -> Tensor:
            logits: Tensor = forward(self.network, inputs)
            return logits

    network = nn.ModuleDict({"linear": nn.Linear(20, CLASSES), "conv": nn.Conv1d(4, CLASSES, 3)})
    data: Any = [[torch.rand(16, *shape), make_data(16)[1]]]
    loader: Any = DataLoader(data, batch_size=None, collate_fn=lambda batch: batch)
    fit(Series(network), CoMixup(**_LOW), loader=loader)


def test_the_full_size_shows_where_the_channels_are() -> None:
    """A layer over the 20 positions of 12 channels is no sign of channels last. A convolution of 4 channels is."""
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        _fit_series((12, 20), lambda network, inputs: network["linear"](inputs).mean(1))
    with pytest.raises(ValueError, match=r"inputs of shape \(16, 20, 4\) .*channel_dim=-1"):
        _fit_series((20, 4), lambda network, inputs: network["conv"](inputs.transpose(1, 2)).mean(2))


def test_the_checks_before_a_run_treat_its_pass_as_a_clean_pass() -> None:
    class Manual(Tiny):
        automatic_optimization = False

    with pytest.raises(ValueError, match='clean_loss must not be "training_step" with manual optimization'):
        fit(Manual(make_network()), CoMixup(**_LOW, clean_loss="training_step"))
    with pytest.raises(ValueError, match="comixup_clean_loss must be overridden with linear_targets=True"):
        fit(Tiny(make_network()), CoMixup(**_LOW, clean_loss="forward", linear_targets=True))


def test_a_side_of_one_block_is_refused() -> None:
    """Its saliency would be constant, and parts at full size would broadcast to it."""
    callback = CoMixup(seed=0, clean_weight=0, saliency=LowResolution(8))
    with pytest.raises(ValueError, match=r"LowResolution\(factor=8\) must leave at least two .* \(1, 1\) for"):
        fit(Tiny(make_network()), callback)
