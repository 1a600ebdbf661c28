from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_comixup import compute_saliency


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.LazyLinear(5)
    )


def _batch() -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(1)
    return torch.randn(6, 2, 8, 8, generator=draws), torch.randint(0, 5, (6,), generator=draws)


def test_saliency_is_the_gradient_magnitude() -> None:
    """It matches finite differences of the loss, for a smooth network."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 4)).double()
    inputs, targets = torch.randn(2, 2, 4, 4, dtype=torch.float64), torch.tensor([1, 3])
    found = compute_saliency(network, inputs, targets)
    step = 1e-5
    gradient = torch.zeros_like(inputs)
    with torch.no_grad():
        for index in torch.cartesian_prod(*(torch.arange(size) for size in inputs.shape)):
            shift = torch.zeros_like(inputs)
            shift[tuple(index)] = step
            up, down = (F.cross_entropy(network(inputs + sign * shift), targets) for sign in (1, -1))
            gradient[tuple(index)] = (up - down) / (2 * step)
    torch.testing.assert_close(found, gradient.square().mean(1).sqrt(), rtol=1e-5, atol=1e-9)


def test_the_callers_objects_do_not_change() -> None:
    network, (inputs, targets) = _network(), _batch()
    network(inputs)
    network[1].eval()  # a frozen BatchNorm
    state = {name: value.clone() for name, value in network.state_dict().items()}
    copy = inputs.clone()
    compute_saliency(network, inputs, targets)
    assert torch.equal(inputs, copy)
    assert not inputs.requires_grad
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in state.items())
    assert [part.training for part in network.modules()] == [True, True, False, True, True, True, True]
    assert all(parameter.grad is None for parameter in network.parameters())


def test_modes_come_back_after_an_error() -> None:
    class Failing(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            raise RuntimeError("user code")

    module = Failing()
    with pytest.raises(RuntimeError, match="user code"):
        compute_saliency(module, *_batch())
    assert module.training


def test_it_works_under_no_grad_and_with_soft_targets_and_other_losses() -> None:
    network, (inputs, targets) = _network(), _batch()
    with torch.no_grad():
        hard = compute_saliency(network, inputs, targets)
    soft = compute_saliency(network, inputs, F.one_hot(targets, 5).float())
    torch.testing.assert_close(hard, soft)
    other = compute_saliency(network, inputs, targets, lambda logits, t: F.nll_loss(logits.log_softmax(1), t))
    torch.testing.assert_close(hard, other)


def test_half_precision_squares_do_not_vanish() -> None:
    class Tiny(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.flatten(1) * 1e-5

    inputs = torch.randn(2, 1, 2, 2).half()
    assert inputs.dtype == torch.float16
    saliency = compute_saliency(Tiny(), inputs, torch.tensor([0, 1]), lambda out, _: out.float().sum())
    assert saliency.dtype == torch.float32
    torch.testing.assert_close(saliency, torch.full((2, 2, 2), 1e-5), rtol=0.05, atol=0)


def test_modules_that_write_into_their_input_work() -> None:
    class InPlace(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.mul_(2).flatten(1)

    inputs, copy = torch.ones(2, 1, 2, 2), torch.ones(2, 1, 2, 2)
    assert (compute_saliency(InPlace(), inputs, torch.tensor([0, 1])) > 0).all()
    assert torch.equal(inputs, copy)
