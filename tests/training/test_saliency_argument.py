"""Users' own saliencies, targets other than classes, and additional parts of a batch."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from lightning_comixup import CoMixup, compute_saliency
from tests.tiny import (
    CLASSES,
    Items,
    Listed,
    Tiny,
    fit,
    largest_difference,
    make_data,
    make_network,
    replay,
)


class FrozenTeacher:
    """The saliency of another network."""

    def __init__(self) -> None:
        self.teacher = make_network().eval()
        self.calls = 0

    def __call__(self, module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        self.calls += 1
        return compute_saliency(self.teacher, inputs, targets)


def class_activation_map(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the last feature maps, weighted by their mean gradient."""
    features = module.network[:3](inputs)
    logits = module.network[3:](features)
    (gradient,) = torch.autograd.grad(logits.gather(1, targets.unsqueeze(1)).sum(), features)
    weights = gradient.mean((2, 3), keepdim=True)
    return (weights * features).sum(1).clamp(min=0)


@pytest.mark.parametrize("clean_weight", [1.0, 0.0])
def test_a_teachers_saliency_is_used_and_the_clean_gradient_stays(clean_weight: float) -> None:
    teacher, module = FrozenTeacher(), Tiny()
    start = copy.deepcopy(module)
    fit(module, CoMixup(seed=0, saliency=teacher, clean_weight=clean_weight, num_classes=CLASSES))
    assert teacher.calls == 8
    assert largest_difference(module, replay(start, module.seen, clean_weight=clean_weight)) == 0
    own = Tiny()
    fit(own, CoMixup(seed=0, clean_weight=clean_weight))
    assert not torch.equal(module.seen[-2][0], own.seen[-2][0])


def test_a_module_without_an_optimizer_is_mixed() -> None:
    class Frozen(Tiny):
        def configure_optimizers(self) -> Any:
            return None

    module = Frozen()
    with pytest.warns(UserWarning, match="configure_optimizers"):
        fit(module, CoMixup(seed=0, saliency=FrozenTeacher()), max_epochs=1)
    assert all(targets.is_floating_point() for _, targets in module.seen)


def test_class_activation_maps() -> None:
    module = Tiny()
    fit(module, CoMixup(seed=0, saliency=class_activation_map, clean_weight=0, num_classes=CLASSES))
    assert all(targets.shape[1] == CLASSES for _, targets in module.seen)
    assert all(parameter.isfinite().all() for parameter in module.parameters())


class MultiLabel(Tiny):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.seen.append((batch[0].clone(), batch[1].clone()))
        return F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])

    def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(self(inputs), targets)


class Regression(Tiny):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.seen.append((batch[0].clone(), batch[1].clone()))
        return F.mse_loss(self(batch[0])[:, 0], batch[1])

    def comixup_clean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return F.mse_loss(self(inputs)[:, 0], targets)


@pytest.mark.parametrize("module_type", [MultiLabel, Regression])
def test_targets_that_are_not_classes_are_mixed_linearly(module_type: type[Tiny]) -> None:
    inputs, _ = make_data(20)
    shape = (20, CLASSES) if module_type is MultiLabel else (20,)
    targets = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    module = module_type()
    fit(
        module,
        CoMixup(seed=0, linear_targets=True),
        loader=DataLoader(Listed(inputs, targets), batch_size=20),
        max_epochs=1,
    )
    mixed, soft = module.seen[0]
    assert soft.shape == targets.shape
    pixel_share = torch.stack([(mixed == inputs[i]).float().mean((1, 2, 3)) for i in range(20)], 1)
    whole = pixel_share.sum(1) > 0.999  # outputs without half cells, whose pixels show the shares
    assert whole.any()
    torch.testing.assert_close(soft[whole], (pixel_share @ targets)[whole])


class TwoInputs(Tiny):
    """Images of two sizes, with a loss weight for each sample."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.batch = batch
        losses = self.comixup_loss(self(batch["image"]), batch["label"], reduction="none")
        return (losses * batch["weight"]).mean()


def _two_inputs(x: Tensor, y: Tensor) -> dict[str, Any]:
    return {
        "image": x,
        "depth": x.repeat_interleave(2, 1).repeat_interleave(2, 2),
        "label": y,
        "weight": y.float(),
        "id": 1,
    }


def test_several_inputs_and_loss_weights_share_the_masks() -> None:
    module = TwoInputs()
    callback = CoMixup(
        seed=0, input_key="image", target_key="label", also_mix=["depth"], also_average=["weight"], num_classes=CLASSES
    )
    fit(module, callback, loader=DataLoader(Items(_two_inputs), batch_size=20), max_epochs=1)
    batch = module.batch
    expected = batch["image"].repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(batch["depth"], expected)
    torch.testing.assert_close(batch["weight"], batch["label"] @ torch.arange(float(CLASSES)))
    assert (batch["id"] == 1).all()
