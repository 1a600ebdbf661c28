from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_comixup import compute_saliency
from lightning_comixup.method.half_precision import computes_in_half
from lightning_comixup.method.saliency import saliency_of_gradient


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.float(), targets)


@cache
def _confident() -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    """Return a network with a loss of 0.0008, inputs, targets, and the saliency in float32.

    The network chooses the class with the nearest mean. Without training, it is as confident as a trained network.
    """
    draws = torch.Generator().manual_seed(0)
    targets = torch.arange(128) % 4
    inputs = torch.randn(4, 3, 8, 8, generator=draws)[targets] + torch.randn(128, 3, 8, 8, generator=draws)
    head, sharpness = nn.Linear(48, 4), 3.5
    network = nn.Sequential(nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), head)
    with torch.no_grad():
        means = torch.stack([network[:3](inputs[targets == label]).mean(0) for label in range(4)])
        head.weight.copy_(sharpness * means)
        head.bias.copy_(-sharpness / 2 * means.square().sum(1))
    return network, inputs, targets, compute_saliency(network, inputs, targets)


def _in_half(way: str, loss_fn: Callable[[Tensor, Tensor], Tensor] | None) -> Tensor:
    network, inputs, targets, _ = _confident()
    if way == "half":
        return compute_saliency(copy.deepcopy(network).half(), inputs.half(), targets, loss_fn)
    with torch.autocast("cpu", torch.float16):
        return compute_saliency(network, inputs, targets, loss_fn)


def _correlations(found: Tensor, wanted: Tensor) -> list[float]:
    pairs = zip(found.flatten(1), wanted.flatten(1), strict=True)
    return [float(torch.corrcoef(torch.stack(pair))[0, 1]) for pair in pairs]


@pytest.mark.parametrize("way", ["half", "autocast"])
@pytest.mark.parametrize("loss_fn", [None, _cross_entropy])
def test_a_confident_networks_saliency_survives(way: str, loss_fn: Callable[[Tensor, Tensor], Tensor] | None) -> None:
    found, wanted = _in_half(way, loss_fn), _confident()[3]
    assert found.dtype == torch.float32
    assert float(found.flatten(1).amax(1).min()) > 0
    assert min(_correlations(found, wanted)) > 0.99
    torch.testing.assert_close(found.norm(), wanted.norm(), rtol=0.02, atol=0)
    torch.testing.assert_close(found.flatten(1).sum(1), wanted.flatten(1).sum(1), rtol=0.1, atol=0)


def test_a_loss_in_half_precision_does_not_overflow() -> None:
    found = _in_half("half", F.cross_entropy)
    assert found.isfinite().all()
    assert float(found.flatten(1).amax(1).min()) > 0


def test_samples_that_share_statistics_share_a_scale() -> None:
    """Without running statistics, every input affects each sample's loss, so a scale per sample would not cancel."""
    network, inputs, targets, _ = _confident()
    sharing = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False), copy.deepcopy(network))
    wanted = compute_saliency(sharing, inputs, targets)
    found = compute_saliency(sharing.half(), inputs.half(), targets)
    strong = wanted.flatten(1).amax(1) > wanted.max() / 100
    assert min(_correlations(found[strong], wanted[strong])) > 0.99
    torch.testing.assert_close(found.norm(), wanted.norm(), rtol=0.02, atol=0)


def test_a_loss_of_another_output_is_not_scaled() -> None:
    class Noting(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            self.square = inputs.square().sum()
            return inputs.flatten(1)

    module = Noting()
    inputs = torch.tensor([1.0, 2.0, 4.0, 8.0]).half().view(1, 1, 2, 2)
    found = compute_saliency(module, inputs, torch.tensor([0]), lambda logits, targets: module.square)
    assert torch.equal(found, 2 * inputs[:, 0].float())


def test_a_network_that_detaches_its_input_is_explained_in_half_precision_too() -> None:
    class Detached(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.detach().flatten(1)

    with pytest.raises(ValueError, match="must depend on the inputs"):
        compute_saliency(Detached(), torch.rand(2, 1, 2, 2).half(), torch.tensor([0, 1]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_precisions_are_not_scaled(dtype: torch.dtype) -> None:
    network, inputs, targets, _ = _confident()
    network, inputs = copy.deepcopy(network).to(dtype), inputs.to(dtype).requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(network(inputs).float(), targets), [inputs])
    assert torch.equal(compute_saliency(network, inputs, targets), saliency_of_gradient(gradient))


def test_where_float16_is_found() -> None:
    single, half = torch.ones(1), torch.ones(1).half()
    assert [computes_in_half(*pair) for pair in ((single, single), (half, single), (single, half))] == [0, 1, 1]
    assert not computes_in_half({"logits": half}, half)
    assert not computes_in_half(torch.ones(1, device="meta"), torch.ones(1, device="meta"))
    with torch.autocast("cpu", torch.float16):
        assert computes_in_half(single, single)
    with torch.autocast("cpu", torch.bfloat16):
        assert not computes_in_half(single, single)
