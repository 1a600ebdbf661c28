"""A user's saliency leaves nothing behind, or raises an error."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor
from torch.nn import functional as F

from lightning_comixup import CoMixup
from tests.tiny import CLASSES, Tiny, fit, is_clean_pass, largest_difference, make_data, make_loader, replay


def pure(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the norm of the gradient, computed on a copy of the network in eval mode."""
    network = copy.deepcopy(module.network).eval()
    inputs = inputs.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(F.cross_entropy(network(inputs), targets), inputs)
    return gradient.square().mean(1).sqrt()


def with_a_backward(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    module.eval()
    inputs = inputs.detach().requires_grad_()
    F.cross_entropy(module(inputs), targets).backward()
    assert inputs.grad is not None
    return inputs.grad.square().mean(1).sqrt()


def frozen(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    module.requires_grad_(False)
    return with_a_backward(module, inputs, targets)


def cleared(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    saliency = with_a_backward(module, inputs, targets)
    module.zero_grad()
    return saliency


def with_hooks_of_its_own(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    handles = [
        module.network[0].register_forward_hook(lambda *_: None),
        module.network[0].register_full_backward_hook(lambda *_: None),
        module.network[0].weight.register_hook(lambda gradient: 2 * gradient),
    ]
    saliency = with_a_backward(module, inputs, targets)
    for handle in handles:
        handle.remove()
    torch.set_grad_enabled(False)
    return saliency


@pytest.mark.parametrize("accumulated", [1, 2])
@pytest.mark.parametrize("saliency", [with_a_backward, frozen, cleared, with_hooks_of_its_own])
def test_gradients_modes_and_hooks_do_not_change(saliency: Any, accumulated: int) -> None:
    module, expected = Tiny(), Tiny()
    fit(module, CoMixup(seed=0, saliency=saliency), accumulate_grad_batches=accumulated)
    fit(expected, CoMixup(seed=0, saliency=pure), accumulate_grad_batches=accumulated)
    assert largest_difference(module, expected) == 0
    assert all(part.training for part in module.modules())
    assert all(parameter.requires_grad for parameter in module.parameters())
    if accumulated == 1:
        assert largest_difference(module, replay(Tiny(), module.seen)) == 0


def test_layers_that_were_frozen_or_in_eval_mode_stay_so() -> None:
    def thawing(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        module.requires_grad_(True).train()
        return inputs.abs().mean(1)

    class Partly(Tiny):
        def on_train_start(self) -> None:
            self.network[1].eval().requires_grad_(False)

    module = Partly()
    start = copy.deepcopy(module)
    fit(module, CoMixup(seed=0, saliency=thawing), max_epochs=1)
    assert not module.network[1].training
    assert torch.equal(module.network[1].weight, start.network[1].weight)
    assert not any(parameter.requires_grad for parameter in module.network[1].parameters())


def test_an_error_leaves_the_module_as_it_was() -> None:
    def failing(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        frozen(module, inputs, targets)
        raise KeyError("user code")

    module = Tiny()
    with pytest.raises(KeyError, match="user code"):
        fit(module, CoMixup(seed=0, saliency=failing))
    assert all(part.training for part in module.modules())
    assert all(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize(
    "hook",
    [
        lambda module: module.network[0].register_forward_hook(lambda *_: None),
        lambda module: module.network[0].register_forward_pre_hook(lambda *_: None),
        lambda module: module.network[0].register_full_backward_hook(lambda *_: None),
        lambda module: module.network[0].register_full_backward_pre_hook(lambda *_: None),
        lambda module: module.network[0].weight.register_hook(lambda gradient: 2 * gradient),
        lambda module: module.network[0].weight.register_post_accumulate_grad_hook(lambda parameter: None),
    ],
)
def test_hooks_that_are_left_are_refused(hook: Any) -> None:
    def hooking(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        hook(module)
        return inputs.abs().mean(1)

    with pytest.raises(RuntimeError, match=r"must remove the hooks.*found some left.*`\.remove\(\)`"):
        fit(Tiny(), CoMixup(seed=0, saliency=hooking))


@pytest.mark.parametrize("change", [lambda x, y: x.mul_(0.5), lambda x, y: y.add_(1).remainder_(CLASSES)])
def test_a_batch_that_is_changed_is_refused(change: Any) -> None:
    def changing(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        change(inputs, targets)
        return inputs.abs().mean(1)

    with pytest.raises(ValueError, match=r"must not change the batch in place.*`inputs\.clone\(\)`"):
        fit(Tiny(), CoMixup(seed=0, saliency=changing))


class Rows(Tiny):
    """A hand-written loss only for rows. With integers, it would broadcast if B = K."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        if not is_clean_pass(self):
            self.seen.append((batch[0].clone(), batch[1].clone()))
            return self.loss(*batch)
        return F.cross_entropy(self(batch[0]), batch[1])

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        assert targets.shape == (len(inputs), CLASSES)
        return -(targets * self(inputs).log_softmax(1)).sum(1).mean()


def test_skipped_batches_have_rows_too() -> None:
    calls: list[int] = []

    def sometimes(module: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        calls.append(len(inputs))
        return inputs.abs().mean(1) * (torch.nan if len(calls) % 2 else 1.0)

    module = Rows()
    start = copy.deepcopy(module)
    loader = make_loader(20, CLASSES)
    with pytest.warns(UserWarning, match="leaves this batch unmixed"):
        fit(module, CoMixup(seed=0, saliency=sometimes, on_nonfinite="skip"), loader=loader, max_epochs=1)
    optimizer = start.configure_optimizers()
    for index, ((inputs, targets), (mixed, rows)) in enumerate(zip(loader, module.seen, strict=True)):
        optimizer.zero_grad()
        clean = F.cross_entropy(start(inputs), targets)  # this pass also updates BatchNorm
        if index % 2:
            clean.backward()
        else:
            assert torch.equal(mixed, inputs)
            assert torch.equal(rows, F.one_hot(targets, CLASSES).float())
        start.loss(mixed, rows).backward()
        optimizer.step()
    assert largest_difference(module, start) == 0


def test_batches_whose_backward_overflows_have_rows_too() -> None:
    module = Rows()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40, backoff_factor=2.0**-8)
    fit(module, CoMixup(seed=0), loader=make_loader(20, CLASSES), plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
    assert scaler.get_scale() < 2.0**40
    inputs, targets = make_data(20)
    assert torch.equal(module.seen[0][0], inputs[:CLASSES])
    assert torch.equal(module.seen[0][1], F.one_hot(targets[:CLASSES], CLASSES).float())
    assert not torch.equal(module.seen[-1][0], inputs[-CLASSES:])
    assert all(parameter.isfinite().all() for parameter in module.parameters())
